// Whether what lies on disk of a project is as it was written: file by file, so that whoever asks sees how far it is and may stop.
#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>

#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"
#include "pageserver/branching/project_files.hpp"

namespace bough::pageserver {
namespace {

boost::json::value message_of(const std::optional<Error>& damage) {
    if (!damage) return nullptr;
    return boost::json::value(damage->message);
}

Result<std::filesystem::path> directory_of(const AdminServices& services, const ProjectId& project) {
    if (std::ranges::count(services.projects.ids(), project) == 0)
        return Error{ErrorCode::not_found, "no project \"" + project.str() + "\"", {}};
    return services.projects_directory / project.str();
}

Result<http::Response> list_files(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project, project_of(path));
    BOUGH_ASSIGN(const auto directory, directory_of(services, project));
    BOUGH_ASSIGN(const ProjectFiles found, list_project_files(directory));
    if (found.damage) spdlog::error("project {}: {}", project.str(), found.damage->message);
    boost::json::array files;
    for (const StoreFile& file : found.files) files.push_back(boost::json::object{{"name", file.name}, {"bytes", file.bytes}});
    return json_response(boost::json::object{{"files", std::move(files)}, {"damage", message_of(found.damage)}});
}

Result<http::Response> check_file(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project, project_of(path));
    BOUGH_ASSIGN(const auto directory, directory_of(services, project));
    const auto checked = check_project_file(directory, path.at("file"));
    if (!checked && checked.error().code != ErrorCode::corrupt) return checked.error();
    std::optional<Error> damage;
    if (!checked) damage = checked.error();
    if (damage) spdlog::error("project {}: {}", project.str(), damage->message);
    return json_response(boost::json::object{{"damage", message_of(damage)}});
}

}  // namespace

void add_check_routes(http::Router& router, AdminServices& services) {
    const std::string files = "/v1/projects/{project}/files";
    router.add("GET", files, answering([&](const http::Request&, const http::PathParameters& path) { return list_files(services, path); }));
    router.add("POST", files + "/{file}/check", answering([&](const http::Request&, const http::PathParameters& path) {
        return check_file(services, path);
    }));
}

}  // namespace bough::pageserver
