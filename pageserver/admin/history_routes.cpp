// What a branch holds at a moment or an LSN.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"
#include "pageserver/basebackup/basebackup.hpp"
#include "pageserver/basebackup/manifest.hpp"
#include "pageserver/branching/state.hpp"
#include "pageserver/branching/time_index.hpp"

namespace bough::pageserver {
namespace {

constexpr auto kIngestTimeout = std::chrono::seconds(60);

struct View {
    std::shared_ptr<Project> project;
    std::shared_ptr<Branch> branch;
    Lsn lsn;
};

Result<std::shared_ptr<Branch>> branch_at(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const BranchId branch_id, branch_of(path));
    return services.projects.branch(project_id, branch_id);
}

// The branch of the path at the query's LSN, once it has been ingested.
Result<View> view_of(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const BranchId branch_id, branch_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_ASSIGN(const auto branch, project->branch(branch_id));
    BOUGH_ASSIGN(const Lsn lsn, lsn_in_query(request, "lsn"));
    BOUGH_TRY(check_history_reaches(*branch, lsn));
    BOUGH_TRY(wait_readable(services, *branch, lsn, kIngestTimeout));
    return View{project, branch, lsn};
}

// Called when a read is done: a branch that was deleted meanwhile lost its versions under it, and what came out may be its parent's.
Result<void> check_still_there(const Branch& branch) {
    if (branch.deleted()) return Error{ErrorCode::not_found, "branch \"" + branch.row().id.str() + "\" was deleted", {}};
    return {};
}

Result<http::Response> lsn_at(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const auto branch, branch_at(services, path));
    BOUGH_ASSIGN(const std::int64_t time, time_in_query(request, "time"));
    BOUGH_TRY(wait_readable(services, *branch, branch->row().start.lsn, kIngestTimeout));
    BOUGH_ASSIGN(const LogPosition position, position_at(*branch, time));
    BOUGH_TRY(check_still_there(*branch));
    return json_response(
        boost::json::object{{"lsn", position.lsn.to_string()}, {"prev_lsn", position.prev_lsn.to_string()}});
}

Result<http::Response> basebackup(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const View view, view_of(services, request, path));
    BOUGH_ASSIGN(std::string archive, make_basebackup(*view.branch, view.project->row(), services.reader, view.lsn));
    BOUGH_TRY(check_still_there(*view.branch));
    return http::Response{200, std::move(archive), "application/x-tar"};
}

Result<http::Response> page(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    pg::PageTag tag;
    auto& relation = tag.fork.relation;
    BOUGH_ASSIGN(relation.tablespace, number_in_query(request, "tablespace"));
    BOUGH_ASSIGN(relation.database, number_in_query(request, "database"));
    BOUGH_ASSIGN(relation.number, number_in_query(request, "relation"));
    BOUGH_ASSIGN(const std::uint32_t fork, number_in_query(request, "fork"));
    if (fork > static_cast<std::uint32_t>(pg::Fork::init))
        return Error{ErrorCode::invalid_argument, "\"fork\" is not from 0 to 3", {}};
    tag.fork.fork = static_cast<pg::Fork>(fork);
    BOUGH_ASSIGN(tag.block, number_in_query(request, "block"));
    BOUGH_ASSIGN(const View view, view_of(services, request, path));
    std::string content(pg::kPageBytes, '\0');
    BOUGH_TRY(services.reader.read(*view.branch, tag.fork, tag.block, std::as_writable_bytes(std::span(content)), view.lsn));
    BOUGH_TRY(check_still_there(*view.branch));
    return http::Response{200, std::move(content), "application/octet-stream"};
}

Result<http::Response> relations(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const View view, view_of(services, request, path));
    BOUGH_ASSIGN(const ForkLengths forks, read_forks(*view.branch, view.lsn));
    BOUGH_TRY(check_still_there(*view.branch));
    boost::json::array rows;
    for (const auto& [fork, blocks] : fetched_forks(forks))
        rows.push_back(boost::json::object{{"tablespace", fork.relation.tablespace},
                                           {"database", fork.relation.database},
                                           {"relation", fork.relation.number},
                                           {"fork", static_cast<int>(fork.fork)},
                                           {"blocks", blocks}});
    return json_response(std::move(rows));
}

Result<http::Response> size(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const auto branch, branch_at(services, path));
    const Lsn lsn = branch->ingest_lsn();
    BOUGH_TRY(wait_readable(services, *branch, lsn, kIngestTimeout));
    BOUGH_ASSIGN(const ForkLengths forks, read_forks(*branch, lsn));
    BOUGH_TRY(check_still_there(*branch));
    std::uint64_t bytes = 0;
    for (const auto& [fork, blocks] : forks) bytes += std::uint64_t{blocks} * pg::kPageBytes;
    return json_response(boost::json::object{{"logical_bytes", bytes}});
}

}  // namespace

void add_history_routes(http::Router& router, AdminServices& services) {
    const std::string one = "/v1/projects/{project}/branches/{branch}";
    router.add("GET", one + "/lsn-at", answering([&](const http::Request& request, const http::PathParameters& path) {
        return lsn_at(services, request, path);
    }));
    router.add("GET", one + "/basebackup", answering([&](const http::Request& request, const http::PathParameters& path) {
        return basebackup(services, request, path);
    }));
    router.add("GET", one + "/page", answering([&](const http::Request& request, const http::PathParameters& path) {
        return page(services, request, path);
    }));
    router.add("GET", one + "/relations", answering([&](const http::Request& request, const http::PathParameters& path) {
        return relations(services, request, path);
    }));
    router.add("GET", one + "/size", answering([&](const http::Request&, const http::PathParameters& path) {
        return size(services, path);
    }));
}

}  // namespace bough::pageserver
