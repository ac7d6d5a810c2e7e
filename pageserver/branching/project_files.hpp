// What of a project lies on disk, and whether it is as it was written. For `bough check`: beside a project that is open, or without one.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/page_store/store_files.hpp"

namespace bough::pageserver {

struct ProjectFiles {
    std::vector<StoreFile> files;  // check_project_file() takes their names
    // What is wrong with the project beside its files' bytes: it cannot be opened, or its rows contradict one another.
    std::optional<Error> damage;
};

// `directory`: the project's. not_found, io, unsupported (another format).
Result<ProjectFiles> list_project_files(const std::filesystem::path& directory);
// As check_store_file().
Result<void> check_project_file(const std::filesystem::path& directory, const std::string& name);

// Whether metadata rows, by name, are those of a project: each has a form that is known, and what they refer to is there. `corrupt`.
Result<void> check_project_rows(const std::map<std::string, std::string>& rows);

}  // namespace bough::pageserver
