// The synthetic data directory a redo worker starts on: the least that `postgres --single` asks for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "bough/error.hpp"

namespace bough::pageserver {

// The worker's standard error goes to this file of its directory.
inline constexpr const char* kWorkerLogName = "worker.log";

// "WORK/worker-3"
std::filesystem::path worker_directory(const std::filesystem::path& work_directory, unsigned number);
// All of that name, and nothing else; a missing work directory has none.
Result<void> remove_worker_directories(const std::filesystem::path& work_directory);

// Makes the directory anew (what was there is removed). `control_file` is the content of a Postgres 15 pg_control; only its
// compile-time facts matter, and checksums are taken out of the copy. `library` is the absolute path of bough.so.
Result<void> create_worker_directory(const std::filesystem::path& directory, std::span<const std::byte> control_file,
                                     const std::filesystem::path& library);

// Removes what the last worker in the directory left, so that the next can start. No worker may be running in it.
Result<void> prepare_for_start(const std::filesystem::path& directory);

// The last words in the worker's log, as one line; empty if it said nothing.
std::string worker_last_words(const std::filesystem::path& directory);

}  // namespace bough::pageserver
