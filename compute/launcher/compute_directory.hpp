// A compute's data directory: made from a basebackup and the WAL before its start, thrown away when the compute stops.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::compute {

struct DirectoryContent {
    std::string_view basebackup;  // the pageserver's ustar archive at start_lsn
    Lsn start_lsn;                // where this compute's WAL begins
    Lsn prev_lsn;                 // start of the record that ends there; 0/0 if there is none
    std::string_view wal_prefix;  // the bytes [begin of start_lsn's segment, start_lsn), or empty when nobody has them
};

// Where what ALTER SYSTEM has set in a compute's directory is kept while there is none: beside it.
std::filesystem::path kept_settings(const std::filesystem::path& directory);

// What ALTER SYSTEM has set, from the directory or from where it is kept; not_found when there never was one.
Result<std::string> altered_settings(const std::filesystem::path& directory);

// Replaces `directory` by a new one with that content; what ALTER SYSTEM had set there (postgresql.auto.conf) is kept.
// Nothing is fsynced: a compute's directory is never recovered from. corrupt: the archive or its control file is damaged.
Result<void> make_directory(const std::filesystem::path& directory, const DirectoryContent& content);

// Of a compute that does not run: gives back what it takes, which is as much as was read and written. What ALTER SYSTEM had set is kept.
Result<void> remove_directory(const std::filesystem::path& directory);

}  // namespace bough::compute
