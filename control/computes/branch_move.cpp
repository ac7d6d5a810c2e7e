#include "control/computes/branch_move.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <spdlog/spdlog.h>

#include "control/computes/election.hpp"
#include "control/computes/compute_quorum.hpp"
#include "control/computes/standby_quorum.hpp"

namespace bough::control {
namespace {

using namespace std::chrono_literals;

// A new member counts once it is so near the log's end that commits will not wait for it long.
constexpr std::uint64_t kNearBytes = 1u << 20;
constexpr auto kCommitTimeout = 5s;
constexpr auto kCommitPoll = 5ms;
constexpr auto kJoinPatience = 500ms;  // a log that is far behind goes on catching up by itself

bool same_members(std::vector<std::string> a, std::vector<std::string> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
}

class Move {
public:
    Move(const Quorum& quorum, const BranchRow& branch, const BranchStart& start, bool called_off, BeginOrder& order,
         const std::optional<RunningCompute>& compute)
        : quorum_(quorum), branch_(branch), start_(start), called_off_(called_off), order_(order), compute_(compute) {}

    Result<MoveOutcome> to(const std::vector<std::string>& target) {
        look();
        const auto now = quorum_.in_force(positions_);
        order_.configuration = now;
        if (!now.joint() && same_members(now.members, target)) return called_off_ && doubtful(now) ? renew(now) : arrived(now);
        if (!now.joint()) {
            if (auto behind = let_follow(target, now)) return waiting(now, *behind);
            Configuration joint{now.generation + 1, now.members, target};
            BOUGH_TRY(order_configuration(joint));
            look();
        }
        const auto joint = quorum_.in_force(positions_);
        if (!joint.joint()) return waiting(joint, "its safekeepers to be asked again");
        return leave_joint(joint, target);
    }

private:
    // What the safekeepers say now.
    void look() { positions_ = quorum_.positions(branch_.project, branch_.id); }

    // Nothing for one that does not answer, nor for one that is none of ours: a former change that was called off may name it.
    const SafekeeperPosition* position_of(const std::string& name) const {
        if (quorum_.find(name) == nullptr) return nullptr;
        const auto& answer = positions_[quorum_.index_of(name)];
        return answer ? &*answer : nullptr;
    }
    // It has begun the term that the branch is in.
    bool in_term(const SafekeeperPosition* position) const { return position != nullptr && position->configured_in == order_.term; }

    // Who is to be a member follows first, without counting; what is missing for that.
    std::optional<std::string> let_follow(const std::vector<std::string>& target, const Configuration& now) {
        Lsn end;
        for (const auto& name : now.members)
            if (auto* position = position_of(name); in_term(position)) end = std::max(end, position->end.lsn);
        for (const auto& name : target) {
            if (is_member(now, name)) continue;
            auto* position = position_of(name);
            if (!in_term(position)) {
                auto joined = join(quorum_, name, branch_, start_, order_, kJoinPatience);
                // Not there in time means that it is on its way.
                if (!joined && joined.error().code != ErrorCode::timeout) return "safekeeper " + name + ": " + joined.error().message;
                look();
                position = position_of(name);
            }
            if (!in_term(position)) return "safekeeper " + name + " to begin term " + std::to_string(order_.term.value);
            if (position->last_term != order_.term || position->end.lsn.value + kNearBytes < end.value || (compute_ && !position->streaming))
                return "safekeeper " + name + ", which is at " + position->end.lsn.to_string() + " of " + end.to_string();
        }
        return std::nullopt;
    }

    // Durable on a quorum of the configuration itself when it returns.
    Result<void> order_configuration(const Configuration& configuration) {
        auto order = order_;
        order.configuration = configuration;
        // Those who are on their way out hear of it too, if they can; they do not have to.
        auto all = everybody(configuration);
        std::erase_if(all, [&](const std::string& name) { return quorum_.find(name) == nullptr; });
        for (const auto& name : quorum_.names())
            if (std::find(all.begin(), all.end(), name) == all.end() && is_member(order_.configuration, name)) all.push_back(name);
        auto begun = quorum_.ask<SafekeeperPosition>(all, [&](SafekeeperClient& client) -> Result<SafekeeperPosition> {
            auto own = order;
            own.peers = quorum_.addresses(everybody(configuration), client.address().name);
            own.donors.clear();
            return client.begin(branch_.project, branch_.id, own, kJoinPatience);
        });
        std::set<std::string> have;
        std::string reasons;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (begun[i]) have.insert(all[i]);
            else reasons += (reasons.empty() ? "" : "; ") + all[i] + ": " + begun[i].error().message;
        }
        if (!is_quorum(configuration, have))
            return Error{ErrorCode::unavailable, "configuration " + to_string(configuration) + " is not on a quorum of it: " + reasons, {}};
        order_.configuration = configuration;
        spdlog::info("project {} branch {}: configuration {} is in force", branch_.project.str(), branch_.name, to_string(configuration));
        return {};
    }

    bool on_quorum(const Configuration& configuration) const {
        std::set<std::string> have;
        for (const auto& name : everybody(configuration))
            if (auto* position = position_of(name); in_term(position) && position->configuration == configuration) have.insert(name);
        return is_quorum(configuration, have);
    }

    std::set<std::string> streaming() const {
        std::set<std::string> names;
        for (const auto& name : quorum_.names())
            if (auto* position = position_of(name); in_term(position) && position->streaming) names.insert(name);
        return names;
    }

    Result<MoveOutcome> leave_joint(const Configuration& joint, const std::vector<std::string>& target) {
        if (!on_quorum(joint)) BOUGH_TRY(order_configuration(joint));
        order_.configuration = joint;
        // From here on commits wait for both lists; what was acknowledged before lies below `reached`.
        Lsn reached = order_.at.lsn;
        if (compute_) {
            BOUGH_ASSIGN(reached, require_quorum(compute_->superuser, compute_->directory, standby_quorum(joint, streaming()), {}));
        }
        if (!wait_committed(joint, reached))
            return waiting(joint, "a majority of the new members to have all that is committed, up to " + reached.to_string());
        // Back to the members that were, when the change was called off: under another generation than the new ones had, since one that
        // is away may have been told of those.
        bool back = same_members(joint.members, target);
        const auto& members = back ? joint.members : joint.next;
        Configuration simple{joint.generation + (back ? 2 : 1), members, {}};
        BOUGH_TRY(order_configuration(simple));
        look();
        if (!same_members(members, target)) return waiting(simple, "another change");
        return arrived(simple);
    }

    bool wait_committed(const Configuration& joint, Lsn lsn) {
        const auto deadline = std::chrono::steady_clock::now() + kCommitTimeout;
        for (;;) {
            std::map<std::string, Lsn> ends;
            for (const auto& name : everybody(joint))
                // A flush position counts as Postgres counts it: it waits for the ends of records.
                if (auto* position = position_of(name); in_term(position) && position->last_term == order_.term)
                    ends.emplace(name, position->flush_lsn);
            if (quorum_end(joint, ends) >= lsn) return true;
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(kCommitPoll);
            look();
        }
    }

    // Whether a member may hold the joint configuration of the change that was called off, on its own and unseen.
    bool doubtful(const Configuration& configuration) const {
        return std::any_of(configuration.members.begin(), configuration.members.end(), [&](const std::string& name) {
            auto* position = position_of(name);
            return !in_term(position) || position->configuration != configuration;
        });
    }

    // The same members under a generation that the change cannot have used: its joint one was the next, its new one the next but one. Where
    // this one is on a quorum the joint one is not, so nothing was ever acknowledged that relies on it.
    Result<MoveOutcome> renew(const Configuration& now) {
        if (!on_quorum(now)) BOUGH_TRY(order_configuration(now));
        Configuration newer{now.generation + 3, now.members, {}};
        BOUGH_TRY(order_configuration(newer));
        look();
        return arrived(newer);
    }

    Result<MoveOutcome> arrived(const Configuration& configuration) {
        if (!on_quorum(configuration)) BOUGH_TRY(order_configuration(configuration));
        MoveOutcome outcome{true, {}, configuration, {}};
        std::vector<std::string> leavers;
        for (const auto& name : quorum_.names()) {
            if (is_member(configuration, name)) continue;
            leavers.push_back(name);
            // Who left stops following; its log stays where it is. What it takes for committed goes by members that do not count any more.
            const auto& answer = positions_[quorum_.index_of(name)];
            bool away = !answer && (answer.error().code == ErrorCode::unavailable || answer.error().code == ErrorCode::timeout);
            auto rested = away ? Result<void>(answer.error()) : rest(*quorum_.find(name), branch_.project, branch_.id);
            if (!rested) {
                spdlog::debug("project {} branch {}: {}: {}", branch_.project.str(), branch_.name, name, rested.error().message);
                outcome.unrested.push_back(name);
            }
        }
        // It may still wait for more than it needs, never for less.
        if (compute_) BOUGH_TRY(require_quorum(compute_->superuser, compute_->directory, standby_quorum(configuration, streaming()), leavers));
        return outcome;
    }

    static MoveOutcome waiting(const Configuration& configuration, std::string what) { return {false, std::move(what), configuration, {}}; }

    const Quorum& quorum_;
    const BranchRow& branch_;
    const BranchStart& start_;
    const bool called_off_;
    BeginOrder& order_;
    const std::optional<RunningCompute>& compute_;
    Positions positions_;
};

}  // namespace

Result<MoveOutcome> move_branch(const Quorum& quorum, const BranchRow& branch, const BranchStart& start, const MoveTarget& target,
                                BeginOrder& order, const std::optional<RunningCompute>& compute) {
    return Move(quorum, branch, start, target.called_off, order, compute).to(target.members);
}

}  // namespace bough::control
