// What a branch holds at a moment or an LSN.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>

#include "json/fields.hpp"
#include "pageserver/admin/admin_api.hpp"
#include "pageserver/admin/requests.hpp"
#include "pageserver/admin/responses.hpp"
#include "pageserver/basebackup/basebackup.hpp"
#include "pageserver/basebackup/manifest.hpp"
#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/branching/restore_window.hpp"
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

// Called when a read is done. A branch that was deleted meanwhile lost its versions under it, and what came out may be its parent's;
// history that fell out of the restore window meanwhile may have gone in the middle of the read.
Result<void> check_still_there(const Branch& branch, Lsn at) {
    if (branch.deleted()) return Error{ErrorCode::not_found, "branch \"" + branch.row().id.str() + "\" was deleted", {}};
    return check_history_reaches(branch, at);
}

Result<http::Response> lsn_at(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const auto branch, branch_at(services, path));
    BOUGH_ASSIGN(const std::int64_t time, time_in_query(request, "time"));
    BOUGH_TRY(wait_readable(services, *branch, branch->row().start.lsn, kIngestTimeout));
    BOUGH_ASSIGN(const LogPosition position, position_at(*branch, time));
    BOUGH_TRY(check_still_there(*branch, position.lsn));
    return json_response(
        boost::json::object{{"lsn", position.lsn.to_string()}, {"prev_lsn", position.prev_lsn.to_string()}});
}

Result<http::Response> basebackup(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const View view, view_of(services, request, path));
    BOUGH_ASSIGN(std::string archive, make_basebackup(*view.branch, view.project->row(), services.reader, view.lsn));
    BOUGH_TRY(check_still_there(*view.branch, view.lsn));
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
    BOUGH_TRY(check_still_there(*view.branch, view.lsn));
    return http::Response{200, std::move(content), "application/octet-stream"};
}

Result<http::Response> relations(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const View view, view_of(services, request, path));
    BOUGH_ASSIGN(const ForkLengths forks, read_forks(*view.branch, view.lsn));
    BOUGH_TRY(check_still_there(*view.branch, view.lsn));
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
    if (!branch->readable_at(lsn))
        return Error{ErrorCode::unavailable, "the history that branch \"" + branch->row().id.str() + "\" began with is yet to be read", {}};
    BOUGH_ASSIGN(const ForkLengths forks, read_forks(*branch, lsn));
    BOUGH_ASSIGN(const Store::BranchSize stored, branch->store().branch_bytes(branch->number()));
    BOUGH_TRY(check_still_there(*branch, lsn));
    std::uint64_t bytes = 0;
    for (const auto& [fork, blocks] : forks) bytes += std::uint64_t{blocks} * pg::kPageBytes;
    return json_response(boost::json::object{
        {"logical_bytes", bytes}, {"stored_bytes", stored.files}, {"unflushed_bytes", stored.memory}});
}

Result<http::Response> set_restore_window(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    BOUGH_ASSIGN(const std::uint64_t seconds, json::unsigned_field(body, "seconds"));
    BOUGH_ASSIGN(const std::uint64_t bytes, json::unsigned_field_or(body, "bytes", 0));
    constexpr std::uint64_t kSecondsMax = 100ull * 366 * 24 * 3600;
    if (seconds > kSecondsMax) return Error{ErrorCode::invalid_argument, "\"seconds\" is more than a hundred years", {}};
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_TRY(project->set_restore_window({std::chrono::seconds(seconds), bytes}));
    spdlog::info("project {}: keeps {} seconds of history", project_id.str(), seconds);
    return json_response(boost::json::object{});
}

Result<SnapshotId> snapshot_of(const http::PathParameters& path) { return SnapshotId::parse(path.at("snapshot")); }

Result<http::Response> create_snapshot(AdminServices& services, const http::Request& request, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const SnapshotId snapshot_id, snapshot_of(path));
    BOUGH_ASSIGN(const auto body, json::parse_object(request.body));
    BOUGH_ASSIGN(const std::string branch_text, json::string_field(body, "branch"));
    BOUGH_ASSIGN(const BranchId branch_id, BranchId::parse(branch_text));
    BOUGH_ASSIGN(const Lsn lsn, json::lsn_field(body, "lsn"));
    BOUGH_ASSIGN(const Lsn prev_lsn, json::lsn_field(body, "prev_lsn"));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_TRY(project->create_snapshot(snapshot_id, branch_id, {lsn, prev_lsn}));
    spdlog::info("project {}: snapshot {} of branch {} at {}", project_id.str(), snapshot_id.str(), branch_id.str(), lsn.to_string());
    return json_response(boost::json::object{}, 201);
}

Result<http::Response> delete_snapshot(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const SnapshotId snapshot_id, snapshot_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    BOUGH_TRY(project->delete_snapshot(snapshot_id));
    spdlog::info("project {}: snapshot {} deleted", project_id.str(), snapshot_id.str());
    return json_response(boost::json::object{});
}

Result<http::Response> list_snapshots(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    std::map<BranchNumber, std::string> branches;
    for (const auto& branch : project->branches()) branches.emplace(branch->number(), branch->row().id.str());
    boost::json::array rows;
    for (const SnapshotRow& row : project->snapshots())
        rows.push_back(boost::json::object{{"id", row.id.str()},
                                           {"branch", branches[row.branch]},
                                           {"lsn", row.at.lsn.to_string()},
                                           {"prev_lsn", row.at.prev_lsn.to_string()},
                                           {"created_at", timestamp_text(from_postgres_time(row.created_at))}});
    return json_response(std::move(rows));
}

Result<http::Response> collect_garbage(AdminServices& services, const http::PathParameters& path) {
    BOUGH_ASSIGN(const ProjectId project_id, project_of(path));
    BOUGH_ASSIGN(const auto project, services.projects.project(project_id));
    const std::uint64_t before = project->store().bytes_on_disk();
    BOUGH_TRY(services.garbage.collect(*project));
    return json_response(
        boost::json::object{{"stored_bytes_before", before}, {"stored_bytes", project->store().bytes_on_disk()}});
}

}  // namespace

void add_history_routes(http::Router& router, AdminServices& services, Creations& creations) {
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
    const std::string project = "/v1/projects/{project}";
    router.add("PUT", project + "/restore-window", answering([&](const http::Request& request, const http::PathParameters& path) {
        return set_restore_window(services, request, path);
    }));
    router.add("POST", project + "/gc", answering([&](const http::Request&, const http::PathParameters& path) {
        return collect_garbage(services, path);
    }));
    router.add("GET", project + "/snapshots", answering([&](const http::Request&, const http::PathParameters& path) {
        return list_snapshots(services, path);
    }));
    const std::string snapshot = project + "/snapshots/{snapshot}";
    router.add("PUT", snapshot, answering(creations.making([&](const http::Request& request, const http::PathParameters& path) {
        return create_snapshot(services, request, path);
    })));
    router.add("DELETE", snapshot, answering(creations.deleting([&](const http::Request&, const http::PathParameters& path) {
        return delete_snapshot(services, path);
    })));
}

}  // namespace bough::pageserver
