#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>

#include "json/fields.hpp"
#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"
#include "pageserver/import/import_cluster.hpp"
#include "pg/v15/version.hpp"

namespace bough::pageserver {
namespace {

Result<SystemId> system_id_field(const json::object& body) {
    const auto* value = body.if_contains("system_identifier");
    if (value != nullptr && value->is_string()) return parse_system_id(value->get_string());
    BOUGH_ASSIGN(const std::uint64_t number, json::unsigned_field(body, "system_identifier"));
    return parse_system_id(std::to_string(number));
}

Result<http::Response> create_project(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId id, project_of(path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    BOUGH_ASSIGN(const std::string root_text, json::string_field(body, "root_branch"));
    BOUGH_ASSIGN(const BranchId root, BranchId::parse(root_text));
    BOUGH_ASSIGN(const SystemId system_id, system_id_field(body));
    BOUGH_ASSIGN(const auto project, services.projects.create(id, [&](const std::filesystem::path& directory) {
        return import_cluster(services.cluster_template, system_id, root, directory, services.resources);
    }));
    BOUGH_ASSIGN(const auto branch, project->branch(root));
    spdlog::info("project {}: created, its root {} begins at {}", id.str(), root.str(), branch->row().start.lsn.to_string());
    return json_response(boost::json::object{{"lsn", branch->row().start.lsn.to_string()},
                                             {"prev_lsn", branch->row().start.prev_lsn.to_string()}},
                         201);
}

Result<http::Response> get_project(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId id, project_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(id));
    boost::json::array branches;
    for (const auto& branch : project->branches()) branches.emplace_back(branch->row().id.str());
    const RestoreWindow window = project->restore_window();
    return json_response(boost::json::object{{"id", id.str()},
                                             {"system_identifier", std::to_string(project->row().system_id.value)},
                                             {"restore_window", boost::json::object{{"seconds", window.time / std::chrono::seconds(1)},
                                                                                    {"bytes", window.bytes}}},
                                             {"pg_version", pg::v15::kMajorVersion},
                                             {"branches", std::move(branches)}});
}

Result<http::Response> delete_project(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId id, project_of(path));
    // A project that cannot be opened can still be removed: it follows nothing.
    const auto project = services.projects.project(id);
    if (!project && project.error().code == ErrorCode::not_found) return project.error();
    if (project)
        for (const auto& branch : (*project)->branches()) services.followers.unfollow(*branch);
    BOUGH_TRY(services.projects.remove(id));
    spdlog::info("project {}: deleted", id.str());
    return json_response(boost::json::object{});
}

}  // namespace

void add_project_routes(http::Router& router, AdminServices& services, Creations& creations) {
    router.add("GET", "/v1/projects", answering([&](const http::Request&, const http::PathParameters&) -> Result<http::Response> {
        boost::json::array ids;
        for (const ProjectId& id : services.projects.ids()) ids.emplace_back(id.str());
        return json_response(std::move(ids));
    }));
    const std::string one = "/v1/projects/{project}";
    router.add("PUT", one, answering(creations.making([&](const http::Request& request, const http::PathParameters& path) {
        return create_project(services, request, path);
    })));
    router.add("GET", one, answering([&](const http::Request&, const http::PathParameters& path) {
        return get_project(services, path);
    }));
    router.add("DELETE", one, answering(creations.deleting([&](const http::Request&, const http::PathParameters& path) {
        return delete_project(services, path);
    })));
}

}  // namespace bough::pageserver
