#include "pageserver/admin/file_checks.hpp"

#include <boost/json/array.hpp>

#include "pageserver/branching/project_files.hpp"

namespace bough::pageserver {

Result<boost::json::object> list_files(const std::filesystem::path& directory) {
    BOUGH_ASSIGN(const ProjectFiles found, list_project_files(directory));
    boost::json::array files;
    for (const StoreFile& file : found.files) files.push_back(boost::json::object{{"name", file.name}, {"bytes", file.bytes}});
    boost::json::object answer{{"files", std::move(files)}, {"damage", nullptr}};
    if (found.damage) answer["damage"] = found.damage->message;
    return answer;
}

Result<boost::json::object> check_file(const std::filesystem::path& directory, const std::string& file) {
    boost::json::object answer{{"damage", nullptr}};
    const auto checked = check_project_file(directory, file);
    if (checked) return answer;
    if (checked.error().code != ErrorCode::corrupt) return checked.error();
    answer["damage"] = checked.error().message;
    return answer;
}

bool tells_of_damage(const boost::json::object& answer) { return !answer.at("damage").is_null(); }

}  // namespace bough::pageserver
