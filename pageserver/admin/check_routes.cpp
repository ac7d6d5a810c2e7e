// Whether what lies on disk of a project is as it was written: file by file, so that whoever asks sees how far it is and may stop.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/file_checks.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"

namespace bough::pageserver {
namespace {

Result<std::filesystem::path> directory_of(const AdminServices& services, const ProjectId& project) {
    if (std::ranges::count(services.projects.ids(), project) == 0)
        return Error{ErrorCode::not_found, "no project \"" + project.str() + "\"", {}};
    return services.projects_directory / project.str();
}

http::Response answer_of(const ProjectId& project, boost::json::object said) {
    if (tells_of_damage(said)) spdlog::error("project {}: {}", project.str(), said.at("damage").as_string().c_str());
    return json_response(std::move(said));
}

}  // namespace

void add_check_routes(http::Router& router, AdminServices& services) {
    const std::string files = "/v1/projects/{project}/files";
    router.add("GET", files, answering([&](const http::Request&, const http::PathParameters& path) -> Result<http::Response> {
        BOUGH_ASSIGN(const ProjectId project, project_of(path));
        BOUGH_ASSIGN(const auto directory, directory_of(services, project));
        BOUGH_ASSIGN(auto listing, list_files(directory));
        return answer_of(project, std::move(listing));
    }));
    router.add("POST", files + "/{file}/check", answering([&](const http::Request&, const http::PathParameters& path) -> Result<http::Response> {
        BOUGH_ASSIGN(const ProjectId project, project_of(path));
        BOUGH_ASSIGN(const auto directory, directory_of(services, project));
        BOUGH_ASSIGN(auto checked, check_file(directory, path.at("file")));
        return answer_of(project, std::move(checked));
    }));
}

}  // namespace bough::pageserver
