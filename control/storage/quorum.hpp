// The safekeepers that may keep WAL of a project's branches: asks them all at once, and knows whose answers suffice.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bough/configuration.hpp"
#include "control/storage/safekeeper_client.hpp"

namespace bough::control {

// Where a branch's log ends, by its safekeepers.
struct Tip {
    Position end;
    bool committed = false;  // a majority is known to have it; when not, it may be known to one only
    bool none = false;       // no safekeeper keeps WAL of this branch: its log ends where it began
};

// Of all members, in their order.
using Positions = std::vector<Result<SafekeeperPosition>>;

// Constant after construction; thread-safe. Copies share their clients.
class Quorum {
public:
    // `members`: everybody who may keep WAL; more than the members of a configuration while those are exchanged. `initial`: the
    // configuration of branches for which no safekeeper knows one.
    Quorum(std::vector<std::shared_ptr<SafekeeperClient>> members, Configuration initial);
    // All of these are the members.
    explicit Quorum(std::vector<SafekeeperAddress> addresses);

    const std::vector<std::shared_ptr<SafekeeperClient>>& members() const { return members_; }
    const Configuration& initial() const { return initial_; }
    const std::vector<std::string>& names() const { return names_; }
    // REQUIRES one of names().
    std::size_t index_of(const std::string& name) const;
    // Nothing when it is none of names().
    SafekeeperClient* find(const std::string& name) const;
    // Of those of `names` that are known, without `except`.
    std::vector<SafekeeperAddress> addresses(const std::vector<std::string>& names, const std::string& except) const;

    Positions positions(const ProjectId& project, const BranchId& branch) const;
    // The newest configuration that these tell of.
    Configuration in_force(const Positions& positions) const;
    // The same, if a quorum of it is among them. What fewer tell of may have been replaced since, or never have been in force: it must not
    // be ordered on anybody.
    std::optional<Configuration> surely_in_force(const Positions& positions) const;

    // conninfos of the WAL services for readers of this branch, those with a log of the newest term first: a reader stays with the
    // first that answers, and one that missed a term has no more to give. Only those who count.
    std::vector<std::string> wal_sources(const ProjectId& project, const BranchId& branch) const;

    // An end of the log at or above every commit acknowledged before the call. unavailable without a majority.
    Result<Tip> tip(const ProjectId& project, const BranchId& branch) const;

    // The members whose log is of the newest term among those of a majority: such a log holds everything committed, and below
    // every committed position its bytes are the right ones. unavailable without a majority.
    struct Newest {
        Term term;
        std::vector<SafekeeperClient*> members;
    };
    Result<Newest> newest_logs(const ProjectId& project, const BranchId& branch) const;

    // Whether so many safekeepers have lost the compute for good that none of its commits can be acknowledged any more.
    bool source_lost(const ProjectId& project, const BranchId& branch) const;

    // Calls ask(client) for these members (all of them) at once; the results are in their order.
    template <class T>
    std::vector<Result<T>> ask(const std::vector<std::string>& names, const std::function<Result<T>(SafekeeperClient&)>& ask) const;
    template <class T>
    std::vector<Result<T>> ask_all(const std::function<Result<T>(SafekeeperClient&)>& ask) const {
        return this->ask(names_, ask);
    }

private:
    std::vector<std::shared_ptr<SafekeeperClient>> members_;
    std::vector<std::string> names_;
    Configuration initial_;
};

template <class T>
std::vector<Result<T>> Quorum::ask(const std::vector<std::string>& names, const std::function<Result<T>(SafekeeperClient&)>& ask) const {
    std::vector<Result<T>> results;
    if (names.size() == 1) {  // no thread for the commonest case
        results.push_back(ask(*members_[index_of(names.front())]));
        return results;
    }
    std::vector<std::future<Result<T>>> asked;
    for (const auto& name : names)
        asked.push_back(std::async(std::launch::async, [&ask, &member = *members_[index_of(name)]] { return ask(member); }));
    for (auto& answer : asked) results.push_back(answer.get());
    return results;
}

}  // namespace bough::control
