// The pageserver's admin HTTP (docs/protocols/admin_http.md), typed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "http/client.hpp"

namespace bough::control {

// Where a record ends and begins.
struct Position {
    Lsn lsn;
    Lsn prev_lsn;
};

struct PageserverBranch {
    Lsn ingest_lsn;
    Lsn durable_lsn;
    Lsn oldest_lsn;  // its restore window begins there
};

struct BranchSize {
    std::uint64_t logical_bytes = 0;  // what its relations would take in a data directory
    std::uint64_t stored_bytes = 0;   // of its own, not shared with its parent
};

// Thread-safe.
class PageserverClient {
public:
    explicit PageserverClient(net::Address admin) : http_(std::move(admin)) {}

    Result<std::string> boot_id();
    Result<Position> create_project(const ProjectId& project, const BranchId& root, SystemId system_id);
    Result<void> delete_project(const ProjectId& project);
    Result<void> create_branch(const ProjectId& project, const BranchId& branch, const BranchId& parent, Position at);
    Result<void> delete_branch(const ProjectId& project, const BranchId& branch);
    Result<PageserverBranch> branch(const ProjectId& project, const BranchId& branch);
    Result<BranchSize> size(const ProjectId& project, const BranchId& branch);
    Result<void> set_restore_window(const ProjectId& project, std::uint64_t seconds, std::uint64_t wal_bytes);
    Result<void> create_snapshot(const ProjectId& project, const SnapshotId& snapshot, const BranchId& branch, Position at);
    Result<void> delete_snapshot(const ProjectId& project, const SnapshotId& snapshot);
    Result<void> follow(const ProjectId& project, const BranchId& branch, const std::vector<std::string>& safekeepers);
    Result<void> unfollow(const ProjectId& project, const BranchId& branch);
    Result<void> wait(const ProjectId& project, const BranchId& branch, Lsn lsn, std::chrono::milliseconds timeout);
    Result<Position> position_at_time(const ProjectId& project, const BranchId& branch, std::int64_t time_us);
    Result<std::string> basebackup(const ProjectId& project, const BranchId& branch, Position at);

private:
    http::Client http_;
};

}  // namespace bough::control
