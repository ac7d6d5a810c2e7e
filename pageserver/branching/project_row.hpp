// What a project's store says about the project and its branches: the metadata rows and their bytes.
// docs/formats/page_store.md is the specification.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/branching/branch.hpp"

namespace bough::pageserver {

inline constexpr const char* kProjectRowName = "project";
inline constexpr const char* kNextBranchRowName = "next-branch";  // the number the next branch gets, u32
inline constexpr const char* kBranchRowPrefix = "branch/";        // + id
inline constexpr const char* kErasingRowPrefix = "erasing/";      // + number of a deleted branch whose versions are going

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

std::string encode_branch_number(BranchNumber number);
Result<BranchNumber> decode_branch_number(std::string_view bytes);

}  // namespace bough::pageserver
