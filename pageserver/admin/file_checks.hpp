// What is said of a project's files, as JSON: over the admin HTTP and by `bough-pageserver check` (docs/protocols/admin_http.md).
#pragma once

#include <filesystem>
#include <string>

#include <boost/json/object.hpp>

#include "bough/error.hpp"

namespace bough::pageserver {

// {"files": [{"name", "bytes"}], "damage"}, of a project's directory. Errors: as list_project_files().
Result<boost::json::object> list_files(const std::filesystem::path& directory);
// {"damage"} of one of its files: null, or what is wrong. Errors: what kept it from being read.
Result<boost::json::object> check_file(const std::filesystem::path& directory, const std::string& file);
// Whether such an answer tells of damage.
bool tells_of_damage(const boost::json::object& answer);

}  // namespace bough::pageserver
