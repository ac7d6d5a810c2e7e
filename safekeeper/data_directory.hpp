// The safekeeper's data directory: who may use it, and of which version it is.
//
//     <data>/FORMAT        "bough-safekeeper 1"
//     <data>/LOCK          held by the running process
//     <data>/IDENTITY      made at random with the directory: tells it from an empty one in its place
//     <data>/branches/     branch/branch_set.hpp
#pragma once

#include <filesystem>
#include <string>

#include "bough/error.hpp"
#include "files/files.hpp"

namespace bough::safekeeper {

struct DataDirectory {
    files::Lock lock;
    std::string identity;
};

// Makes the directory if it is not there, takes its lock and checks its version. failed_precondition: in use; unsupported:
// of another version; invalid_argument: a directory of something else.
Result<DataDirectory> open_data_directory(const std::filesystem::path& path);

}  // namespace bough::safekeeper
