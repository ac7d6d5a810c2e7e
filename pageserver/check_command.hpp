// `bough-pageserver check`: whether the files of a data directory that no pageserver runs on are as they were written.
#pragma once

#include <filesystem>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"

namespace bough::pageserver {

// Of these projects, or of all when there are none named. Prints a line of JSON for each project and each of its files, as the admin HTTP
// would answer (docs/protocols/admin_http.md), with "project" and "file" beside. Whether none is damaged.
// failed_precondition while a pageserver runs there, not_found.
Result<bool> check_data_directory(const std::filesystem::path& data_directory, std::vector<ProjectId> projects);

// The command line after "check"; the exit status: 1 when something is damaged, 2 when it could not be checked.
int check_main(int argc, char** argv);

}  // namespace bough::pageserver
