// The files of a store by themselves: which there are, and whether each is as it was written. For `bough check`, beside a store that is
// open or without one; nothing is ever changed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"

namespace bough::pageserver {

struct StoreFile {
    std::string name;
    std::uint64_t bytes = 0;
};

struct StoreListing {
    // Those that count: of versions and metadata rows, the logs of rows, and the MANIFEST, which says which those are. All that are
    // there when that cannot be read.
    std::vector<StoreFile> files;
    // What hinders the store from being opened, such as a file that is missing.
    std::optional<Error> damage;
    std::map<std::string, std::string> rows;  // metadata rows; none when there is damage
};

// of the store in `directory`. not_found, io.
Result<StoreListing> list_store_files(const std::filesystem::path& directory);

// Reads all of one file: every checksum, and whether every key and value has a form that its readers know. `corrupt`, naming the file,
// when something is not right; not_found when the file is not there (any more: an open store rewrites its files); invalid_argument
// when the name is not one that a store's file has. Takes some milliseconds per megabyte, and memory for one block.
Result<void> check_store_file(const std::filesystem::path& directory, const std::string& name);

}  // namespace bough::pageserver
