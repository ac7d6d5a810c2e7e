#include "control/computes/branch_move.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <spdlog/spdlog.h>

#include "control/computes/compute_quorum.hpp"
#include "control/computes/election.hpp"
#include "election/member_exchange.hpp"
#include "election/standby_quorum.hpp"

namespace bough::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kCommitTimeout = 5s;
constexpr auto kCommitPoll = 5ms;
constexpr auto kJoinPatience = 500ms;  // a log that is far behind goes on catching up by itself

std::vector<std::string> outside(const Quorum& quorum, const Configuration& configuration) {
    auto names = quorum.names();
    std::erase_if(names, [&](const std::string& name) { return is_member(configuration, name); });
    return names;
}

// Performs the steps of an exchange.
class Move {
public:
    Move(const Quorum& quorum, const BranchRow& branch, const BranchStart& start, BeginOrder& order, const std::optional<RunningCompute>& compute)
        : quorum_(quorum), branch_(branch), start_(start), order_(order), compute_(compute) {}

    Result<MoveOutcome> to(const MoveTarget& target) {
        election::MemberExchange exchange(order_.term, order_.at.lsn, target, compute_.has_value());
        std::optional<std::chrono::steady_clock::time_point> deadline;
        look();
        for (;;) {
            auto step = exchange.next(participants(), quorum_.in_force(positions_));
            if (exchange.configuration().generation != 0) order_.configuration = exchange.configuration();
            if (const auto* follow = std::get_if<election::LetFollow>(&step)) {
                auto joined = join(quorum_, follow->name, branch_, start_, order_, kJoinPatience);
                // Not there in time means that it is on its way.
                if (!joined && joined.error().code != ErrorCode::timeout) return waiting("safekeeper " + follow->name + ": " + joined.error().message);
                look();
            } else if (const auto* order = std::get_if<election::OrderConfiguration>(&step)) {
                BOUGH_TRY(order_configuration(order->configuration));
                exchange.ordered();
                look();
            } else if (const auto* require = std::get_if<election::RequireQuorum>(&step)) {
                auto quorum = election::standby_quorum(require->configuration, election::streaming_in(order_.term, participants()));
                std::vector<std::string> leavers;
                if (!require->configuration.joint()) leavers = outside(quorum_, require->configuration);
                BOUGH_ASSIGN(auto reached, require_quorum(compute_->superuser, compute_->directory, quorum, leavers));
                exchange.required(reached);
            } else if (const auto* await = std::get_if<election::AwaitCommit>(&step)) {
                const auto now = std::chrono::steady_clock::now();
                if (!deadline) deadline = now + kCommitTimeout;
                if (now > *deadline)
                    return waiting("a majority of the new members to have all that is committed, up to " + await->lsn.to_string());
                std::this_thread::sleep_for(kCommitPoll);
                look();
            } else if (const auto* left = std::get_if<election::LetRest>(&step)) {
                unrested_ = let_rest(quorum_, branch_, positions_, left->configuration);
            } else if (const auto* wait = std::get_if<election::Waiting>(&step)) {
                return waiting(wait->what);
            } else {
                return MoveOutcome{true, {}, order_.configuration, unrested_};
            }
        }
    }

private:
    // What the safekeepers say now.
    void look() { positions_ = quorum_.positions(branch_.project, branch_.id); }

    // Those of whom a former change that was called off may tell, but who are none of ours, are not among them.
    election::Participants participants() const {
        election::Participants told;
        for (std::size_t i = 0; i < positions_.size(); ++i)
            if (const auto& it = positions_[i])
                told[quorum_.names()[i]] = {it->configured_in, it->configuration, it->last_term, it->end.lsn, it->flush_lsn, it->streaming};
        return told;
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

    MoveOutcome waiting(std::string what) const { return {false, std::move(what), order_.configuration, {}}; }

    const Quorum& quorum_;
    const BranchRow& branch_;
    const BranchStart& start_;
    BeginOrder& order_;
    const std::optional<RunningCompute>& compute_;
    Positions positions_;
    std::vector<std::string> unrested_;
};

}  // namespace

std::vector<std::string> let_rest(const Quorum& quorum, const BranchRow& branch, const Positions& positions, const Configuration& configuration) {
    std::vector<std::string> unrested;
    for (const auto& name : outside(quorum, configuration)) {
        const auto& answer = positions[quorum.index_of(name)];
        bool away = !answer && (answer.error().code == ErrorCode::unavailable || answer.error().code == ErrorCode::timeout);
        auto rested = away ? Result<void>(answer.error()) : rest(*quorum.find(name), branch.project, branch.id);
        if (!rested) {
            spdlog::debug("project {} branch {}: {}: {}", branch.project.str(), branch.name, name, rested.error().message);
            unrested.push_back(name);
        }
    }
    return unrested;
}

Result<MoveOutcome> move_branch(const Quorum& quorum, const BranchRow& branch, const BranchStart& start, const MoveTarget& target,
                                BeginOrder& order, const std::optional<RunningCompute>& compute) {
    return Move(quorum, branch, start, order, compute).to(target);
}

}  // namespace bough::control
