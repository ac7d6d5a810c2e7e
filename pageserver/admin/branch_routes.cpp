// Branches: making and deleting them, and following their WAL.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>

#include "json/fields.hpp"
#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"
#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kSafekeepersMax = 16;
constexpr std::uint64_t kWaitMsMax = 10 * 60 * 1000;

struct Place {
    std::shared_ptr<Project> project;
    std::shared_ptr<Branch> branch;
};

Result<Place> place_of(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const BranchId branch_id, branch_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_ASSIGN(const auto branch, project->branch(branch_id));
    return Place{project, branch};
}

boost::json::object describe(const AdminServices& services, const Branch& branch) {
    const BranchRow& row = branch.row();
    const LogPosition ingested = branch.ingested();
    boost::json::object body{
        {"id", row.id.str()},
        {"parent", nullptr},
        {"lsn", row.start.lsn.to_string()},
        {"prev_lsn", row.start.prev_lsn.to_string()},
        {"created_at", timestamp_text(from_postgres_time(row.created_at))},
        {"ingest_lsn", ingested.lsn.to_string()},
        {"last_record_lsn", ingested.prev_lsn.to_string()},
        {"durable_lsn", std::max(branch.store().durable_lsn(row.number), row.start.lsn).to_string()},
        {"oldest_lsn", branch.cutoff().to_string()},
        {"following", false},
    };
    if (branch.parent() != nullptr) body["parent"] = branch.parent()->row().id.str();
    if (const auto status = services.followers.status(branch)) {
        body["following"] = status->running;
        if (status->failure)
            body["failure"] = boost::json::object{{"code", to_string(status->failure->code)}, {"message", status->failure->message}};
    }
    return body;
}

Result<http::Response> create_branch(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const BranchId branch_id, branch_of(path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    BOUGH_ASSIGN(const std::string parent_text, json::string_field(body, "parent"));
    BOUGH_ASSIGN(const BranchId parent, BranchId::parse(parent_text));
    BOUGH_ASSIGN(const Lsn lsn, json::lsn_field(body, "lsn"));
    BOUGH_ASSIGN(const Lsn prev_lsn, json::lsn_field(body, "prev_lsn"));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_ASSIGN(const auto branch, project->create_branch(branch_id, parent, LogPosition{lsn, prev_lsn}));
    spdlog::info("branch {}: created from {} at {}", branch->name(), parent.str(), lsn.to_string());
    return json_response(describe(services, *branch), 201);
}

Result<http::Response> delete_branch(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const Place place, place_of(services, path));
    BOUGH_TRY(place.project->check_deletable(place.branch->row().id));
    services.followers.unfollow(*place.branch);
    BOUGH_TRY(place.project->delete_branch(place.branch->row().id));
    spdlog::info("branch {}: deleted", place.branch->name());
    return json_response(boost::json::object{});
}

Result<http::Response> follow(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const Place place, place_of(services, path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    const auto* list = body.if_contains("safekeepers");
    if (list == nullptr || !list->is_array())
        return Error{ErrorCode::invalid_argument, "\"safekeepers\" is not a list of connection strings", {}};
    std::vector<std::string> safekeepers;
    for (const auto& one : list->get_array()) {
        if (!one.is_string() || safekeepers.size() == kSafekeepersMax)
            return Error{ErrorCode::invalid_argument, "\"safekeepers\" is not a list of at most 16 connection strings", {}};
        safekeepers.emplace_back(one.get_string());
    }
    BOUGH_TRY(services.followers.follow(place.branch, place.project->row().system_id, std::move(safekeepers)));
    return json_response(describe(services, *place.branch));
}

Result<http::Response> unfollow(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const Place place, place_of(services, path));
    services.followers.unfollow(*place.branch);
    BOUGH_TRY(place.project->store().flush());
    return json_response(describe(services, *place.branch));
}

Result<http::Response> wait(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const Place place, place_of(services, path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    BOUGH_ASSIGN(const Lsn lsn, json::lsn_field(body, "lsn"));
    BOUGH_ASSIGN(const std::uint64_t timeout_ms, json::unsigned_field_or(body, "timeout_ms", 30'000));
    const auto timeout = std::chrono::milliseconds(std::min(timeout_ms, kWaitMsMax));
    BOUGH_TRY(wait_readable(services, *place.branch, lsn, timeout));
    return json_response(describe(services, *place.branch));
}

}  // namespace

void add_branch_routes(http::Router& router, AdminServices& services, Creations& creations) {
    const std::string one = "/v1/projects/{project}/branches/{branch}";
    router.add("PUT", one, answering(creations.making([&](const http::Request& request, const http::PathParameters& path) {
        return create_branch(services, request, path);
    })));
    router.add("GET", one, answering([&](const http::Request&, const http::PathParameters& path) -> Result<http::Response> {
        BOUGH_ASSIGN(const Place place, place_of(services, path));
        return json_response(describe(services, *place.branch));
    }));
    router.add("DELETE", one, answering(creations.deleting([&](const http::Request&, const http::PathParameters& path) {
        return delete_branch(services, path);
    })));
    router.add("POST", one + "/follow", answering([&](const http::Request& request, const http::PathParameters& path) {
        return follow(services, request, path);
    }));
    router.add("POST", one + "/unfollow", answering([&](const http::Request&, const http::PathParameters& path) {
        return unfollow(services, path);
    }));
    router.add("POST", one + "/wait", answering([&](const http::Request& request, const http::PathParameters& path) {
        return wait(services, request, path);
    }));
}

}  // namespace bough::pageserver
