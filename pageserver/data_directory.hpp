// The pageserver's data directory: locked while a process uses it, and of a known format.
#pragma once

#include <filesystem>

#include "bough/error.hpp"
#include "files/files.hpp"

namespace bough::pageserver {

// Makes the directory if it is missing. failed_precondition when another process uses it; unsupported when its format is not
// ours. The lock must be kept.
Result<files::Lock> take_data_directory(const std::filesystem::path& directory);

}  // namespace bough::pageserver
