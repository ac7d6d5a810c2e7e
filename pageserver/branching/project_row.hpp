// What a project's store says about the project and its branches: the metadata rows and their bytes.
// docs/formats/page_store.md is the specification.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/restore_window.hpp"

namespace bough::pageserver {

inline constexpr const char* kProjectRowName = "project";
inline constexpr const char* kNextBranchRowName = "next-branch";  // the number the next branch gets, u32
inline constexpr const char* kBranchRowPrefix = "branch/";        // + id
inline constexpr const char* kErasingRowPrefix = "erasing/";      // + number of a deleted branch whose versions are going
inline constexpr const char* kRestoreWindowRowName = "restore-window";  // missing: the default
inline constexpr const char* kCutoffRowPrefix = "cutoff/";              // + number of a branch whose oldest history may be gone
inline constexpr const char* kSnapshotRowPrefix = "snapshot/";          // + id

struct ProjectRow {
    SystemId system_id;
    std::int64_t created_at = 0;  // microseconds since 2000-01-01 UTC
    bool data_checksums = false;
    std::string control_file;  // the template's global/pg_control: what no WAL record changes
};
std::string encode_project_row(const ProjectRow& row);
Result<ProjectRow> decode_project_row(std::string_view bytes);

std::string encode_branch_row(const BranchRow& row);
Result<BranchRow> decode_branch_row(BranchId id, std::string_view bytes);

// A place in a branch's history that stays readable until the snapshot is deleted, whatever the restore window.
struct SnapshotRow {
    SnapshotId id;
    BranchNumber branch;
    LogPosition at;
    std::int64_t created_at = 0;  // microseconds since 2000-01-01 UTC
};
std::string encode_snapshot_row(const SnapshotRow& row);
Result<SnapshotRow> decode_snapshot_row(SnapshotId id, std::string_view bytes);

std::string encode_restore_window(const RestoreWindow& window);
Result<RestoreWindow> decode_restore_window(std::string_view bytes);

std::string encode_cutoff(Lsn cutoff);
Result<Lsn> decode_cutoff(std::string_view bytes);

std::string encode_branch_number(BranchNumber number);
Result<BranchNumber> decode_branch_number(std::string_view bytes);

}  // namespace bough::pageserver
