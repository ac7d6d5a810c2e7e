// Asks all safekeepers of the system at once, and knows how many make a majority.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "control/storage/safekeeper_client.hpp"

namespace bough::control {

// Where a branch's log ends, by its safekeepers.
struct Tip {
    Position end;
    bool committed = false;  // a majority is known to have it; when not, it may be known to one only
    bool none = false;       // no safekeeper keeps WAL of this branch: its log ends where it began
};

// Constant after construction; thread-safe.
class Quorum {
public:
    explicit Quorum(std::vector<SafekeeperAddress> addresses);

    const std::vector<std::unique_ptr<SafekeeperClient>>& members() const { return members_; }
    std::size_t majority() const { return members_.size() / 2 + 1; }
    std::vector<std::string> names() const;
    // conninfos of the WAL services for readers of this branch, those with a log of the newest term first: a reader stays with the
    // first that answers, and one that missed a term has no more to give.
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

    // Calls ask(client) for all members at once; the results are in the members' order.
    template <class T>
    std::vector<Result<T>> ask_all(const std::function<Result<T>(SafekeeperClient&)>& ask) const;

private:
    std::vector<std::unique_ptr<SafekeeperClient>> members_;
};

template <class T>
std::vector<Result<T>> Quorum::ask_all(const std::function<Result<T>(SafekeeperClient&)>& ask) const {
    std::vector<Result<T>> results;
    if (members_.size() == 1) {  // no thread for the commonest case
        results.push_back(ask(*members_.front()));
        return results;
    }
    std::vector<std::future<Result<T>>> asked;
    for (const auto& member : members_) asked.push_back(std::async(std::launch::async, [&ask, &member] { return ask(*member); }));
    for (auto& answer : asked) results.push_back(answer.get());
    return results;
}

}  // namespace bough::control
