// One safekeeper's admin HTTP (docs/protocols/admin_http.md), typed.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "control/storage/pageserver_client.hpp"
#include "election/standing.hpp"
#include "http/client.hpp"

namespace bough::control {

struct SafekeeperAddress {
    std::string name;   // in synchronous_standby_names as bough_<name>
    net::Address admin;
    std::string wal;    // libpq conninfo of its WAL service
    std::string identity = {};  // of the data it must have; empty: any
};

struct SafekeeperPosition {
    Term term;
    Term last_term;
    election::TermHistory history;
    Lsn start_lsn;
    Lsn flush_lsn;
    Position end;  // of the last complete record at or below flush_lsn
    Lsn commit_lsn;
    bool granted = false;      // of a vote
    bool streaming = false;    // connected to the compute or a donor
    bool source_lost = false;  // it can never follow the compute again: that one has removed WAL which it lacks
    Term configured_in;      // the newest term that began there, the compute's conninfo in it, and who counts
    std::string source;
    Configuration configuration;

    election::Standing standing() const { return {term, last_term, history, end.lsn, commit_lsn, configured_in, configuration}; }
};

struct BeginOrder {
    Term term;
    Position at;
    election::TermHistory history;
    std::string source;  // libpq conninfo of the compute
    std::vector<SafekeeperAddress> donors;
    std::vector<SafekeeperAddress> peers;
    Configuration configuration;
};

inline constexpr std::uint32_t kWalSegmentBytes = 16u << 20;

struct BranchStart {
    Position at;
    SystemId system_id;
    std::optional<BranchId> parent;
};

// Thread-safe.
class SafekeeperClient {
public:
    // `answer_time`: how long it may take to answer what needs no waiting. One that took longer is not waited for again for the next two
    // seconds: calls fail at once (timeout), else a launch, which asks in several steps, would wait in each of them.
    explicit SafekeeperClient(SafekeeperAddress address, std::chrono::milliseconds answer_time = std::chrono::seconds(5))
        : address_(std::move(address)), http_(address_.admin), answer_time_(answer_time) {}
    const SafekeeperAddress& address() const { return address_; }

    Result<std::string> boot_id();
    // Of its data; empty when it is of a time when there was none.
    Result<std::string> identity();
    Result<void> create_branch(const ProjectId& project, const BranchId& branch, const BranchStart& start);
    Result<void> delete_branch(const ProjectId& project, const BranchId& branch);
    // not_found when it keeps no WAL of the branch.
    Result<SafekeeperPosition> position(const ProjectId& project, const BranchId& branch);
    Result<SafekeeperPosition> vote(const ProjectId& project, const BranchId& branch, Term term);
    // timeout when it has not caught up after `patience`: it goes on.
    Result<SafekeeperPosition> begin(const ProjectId& project, const BranchId& branch, const BeginOrder& order,
                                     std::chrono::milliseconds patience = std::chrono::seconds(50));
    // How many branches it keeps.
    Result<std::size_t> branch_count();
    Result<void> commit(const ProjectId& project, const BranchId& branch, Term term, Lsn commit_lsn);
    // The pageserver has all below durably.
    Result<void> durable(const ProjectId& project, const BranchId& branch, Lsn durable_lsn);
    // out_of_range: beyond the log's end, or before its beginning since what was there has been dropped.
    Result<Position> boundary(const ProjectId& project, const BranchId& branch, Lsn lsn);
    Result<std::string> wal(const ProjectId& project, const BranchId& branch, Lsn from, Lsn to);

private:
    // Of a branch, and what is asked of it; `query` without its '?'.
    std::string target(const ProjectId& project, const BranchId& branch, const std::string& verb = {}, std::string query = {}) const;

    Result<std::string> call(const std::string& method, const std::string& target, const std::string& body = {}, int answer_times = 1);

    SafekeeperAddress address_;
    http::Client http_;
    const std::chrono::milliseconds answer_time_;
    std::atomic<std::chrono::steady_clock::time_point> silent_until_{};
};

// The safekeeper follows the branch no more, until a launcher asks for its vote and begins a term there: it has promised a term that nobody
// writes in. Also done when it does not keep the branch.
Result<void> rest(SafekeeperClient& safekeeper, const ProjectId& project, const BranchId& branch);

}  // namespace bough::control
