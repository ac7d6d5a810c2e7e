// One safekeeper's admin HTTP (docs/protocols/admin_http.md), typed.
#pragma once

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
};

struct SafekeeperPosition {
    Term term;
    Term last_term;
    election::TermHistory history;
    Lsn start_lsn;
    Lsn flush_lsn;
    Position end;  // of the last complete record at or below flush_lsn
    Lsn commit_lsn;
    bool granted = false;  // of a vote

    election::Standing standing() const { return {term, last_term, history, end.lsn, commit_lsn}; }
};

struct BeginOrder {
    Term term;
    Position at;
    election::TermHistory history;
    std::string source;  // libpq conninfo of the compute
    std::vector<const SafekeeperAddress*> donors;
    std::vector<const SafekeeperAddress*> peers;
};

struct BranchStart {
    Position at;
    SystemId system_id;
    std::optional<BranchId> parent;
};

// Thread-safe.
class SafekeeperClient {
public:
    explicit SafekeeperClient(SafekeeperAddress address) : address_(std::move(address)), http_(address_.admin) {}
    const SafekeeperAddress& address() const { return address_; }

    Result<std::string> boot_id();
    Result<void> create_branch(const ProjectId& project, const BranchId& branch, const BranchStart& start);
    Result<void> delete_branch(const ProjectId& project, const BranchId& branch);
    // not_found when it keeps no WAL of the branch.
    Result<SafekeeperPosition> position(const ProjectId& project, const BranchId& branch);
    Result<SafekeeperPosition> vote(const ProjectId& project, const BranchId& branch, Term term);
    Result<SafekeeperPosition> begin(const ProjectId& project, const BranchId& branch, const BeginOrder& order);
    Result<void> commit(const ProjectId& project, const BranchId& branch, Term term, Lsn commit_lsn);
    Result<Position> boundary(const ProjectId& project, const BranchId& branch, Lsn lsn);
    Result<std::string> wal(const ProjectId& project, const BranchId& branch, Lsn from, Lsn to);

private:
    SafekeeperAddress address_;
    http::Client http_;
};

}  // namespace bough::control
