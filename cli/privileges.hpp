// Postgres refuses to run as root, so nothing of a system does.
#pragma once

#include <string>

#include "bough/error.hpp"

namespace bough::cli {

// As root: becomes the owner of `data_dir` if that is somebody else, else the user "bough", else "postgres"; a new data
// directory is created for that user. Otherwise checks only that the directory is ours. failed_precondition says what to do.
Result<void> become_unprivileged(const std::string& data_dir);

}  // namespace bough::cli
