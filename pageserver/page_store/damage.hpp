// Private to this folder: finds out which files of a store are damaged when RocksDB says only that something is.
#pragma once

#include <filesystem>
#include <string>

#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

// The names of the SST files in the directory that cannot be opened, with commas; empty if all can. Reads the ends of the files,
// not their data.
std::string unreadable_files(const std::filesystem::path& directory, const rocksdb::ColumnFamilyOptions& family);

}  // namespace bough::pageserver
