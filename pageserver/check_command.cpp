#include "pageserver/check_command.hpp"

#include <algorithm>
#include <iostream>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <CLI/CLI.hpp>

#include "files/files.hpp"
#include "pageserver/admin/file_checks.hpp"
#include "pageserver/data_directory.hpp"

namespace bough::pageserver {
namespace {

void say(const boost::json::object& line) { std::cout << boost::json::serialize(line) << std::endl; }

Result<bool> check_project(const ProjectId& id, const std::filesystem::path& directory) {
    BOUGH_ASSIGN(auto listing, list_files(directory));
    listing["project"] = id.str();
    say(listing);
    bool whole = !tells_of_damage(listing);
    for (const auto& file : listing.at("files").as_array()) {
        const std::string name(file.as_object().at("name").as_string());
        BOUGH_ASSIGN(auto checked, check_file(directory, name));
        checked["project"] = id.str();
        checked["file"] = name;
        whole = whole && !tells_of_damage(checked);
        say(checked);
    }
    return whole;
}

Result<std::vector<ProjectId>> projects_of(const std::filesystem::path& directory) {
    std::vector<ProjectId> ids;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed))
        if (const auto id = ProjectId::parse(entry.path().filename().string()); id && entry.is_directory()) ids.push_back(*id);
    if (failed) return io_error("could not read \"" + directory.string() + "\"", failed.value());
    std::ranges::sort(ids);
    return ids;
}

}  // namespace

Result<bool> check_data_directory(const std::filesystem::path& data_directory, std::vector<ProjectId> projects) {
    std::error_code failed;
    if (!std::filesystem::is_directory(data_directory / "projects", failed))
        return Error{ErrorCode::not_found, "\"" + data_directory.string() + "\" is no data directory of a pageserver", {}};
    BOUGH_ASSIGN(const files::Lock lock, take_data_directory(data_directory));
    if (projects.empty()) {
        BOUGH_ASSIGN(projects, projects_of(data_directory / "projects"));
    }
    bool whole = true;
    for (const ProjectId& id : projects) {
        const auto directory = data_directory / "projects" / id.str();
        if (!std::filesystem::is_directory(directory, failed)) return Error{ErrorCode::not_found, "no project \"" + id.str() + "\"", {}};
        BOUGH_ASSIGN(const bool one, check_project(id, directory));
        whole = whole && one;
    }
    return whole;
}

int check_main(int argc, char** argv) {
    std::filesystem::path data_directory;
    std::vector<std::string> names;
    CLI::App app{"bough-pageserver check: whether the files of a data directory are as they were written, while no pageserver runs on it"};
    app.add_option("--data-dir", data_directory, "Directory of all that the pageserver keeps")->required();
    app.add_option("--project", names, "A project's id; may be given again; all of them if not given");
    CLI11_PARSE(app, argc, argv);
    const auto checked = [&]() -> Result<bool> {
        std::vector<ProjectId> projects;
        for (const std::string& name : names) {
            BOUGH_ASSIGN(ProjectId id, ProjectId::parse(name));
            projects.push_back(std::move(id));
        }
        return check_data_directory(data_directory, std::move(projects));
    }();
    if (checked) return *checked ? 0 : 1;
    std::cerr << "bough-pageserver: " << checked.error().message << "\n";
    if (!checked.error().hint.empty()) std::cerr << "hint: " << checked.error().hint << "\n";
    return 2;
}

}  // namespace bough::pageserver
