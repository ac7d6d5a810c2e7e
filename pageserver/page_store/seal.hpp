// Private to this folder: writes frozen layers into one SST file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "pageserver/page_store/open_layer.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

// What is sealed of one branch.
struct FrozenBranch {
    BranchNumber number;
    std::vector<std::shared_ptr<const OpenLayer>> layers;  // oldest first
    std::optional<LogPosition> position;                   // of the newest layer that has one
    std::optional<std::string> touched;                    // TouchedSet::encode(), when the files do not have as much
    std::size_t touched_size = 0;                          // BranchVersions::touched_size() of that
};

// Writes all versions of the layers, sorted, the pages' as runs, and the positions, into the file, which must not exist. The file is
// synced on return; its directory entry is not. False, and no file, when there was nothing to write.
Result<bool> write_sealed_file(const std::vector<FrozenBranch>& branches, const rocksdb::Options& options,
                               rocksdb::ColumnFamilyHandle* family, const std::filesystem::path& file);

}  // namespace bough::pageserver
