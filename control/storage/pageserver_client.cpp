#include "control/storage/pageserver_client.hpp"

#include <boost/json/serialize.hpp>

#include "json/fields.hpp"

namespace bough::control {
namespace {

constexpr auto kLongTimeout = std::chrono::minutes(10);  // imports and basebackups

std::string path_of(const ProjectId& project) { return "/v1/projects/" + project.str(); }
std::string path_of(const ProjectId& project, const BranchId& branch) { return path_of(project) + "/branches/" + branch.str(); }

Result<Position> position_in(const std::string& body) {
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    BOUGH_ASSIGN(auto lsn, json::lsn_field(fields, "lsn"));
    BOUGH_ASSIGN(auto prev_lsn, json::lsn_field(fields, "prev_lsn"));
    return Position{lsn, prev_lsn};
}

Result<void> done(const Result<std::string>& answer) {
    if (!answer) return answer.error();
    return {};
}

}  // namespace

Result<std::string> PageserverClient::boot_id() {
    BOUGH_ASSIGN(auto body, http_.call("GET", "/status", {}, std::chrono::seconds(5)));
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    return json::string_field(fields, "boot_id");
}

Result<Position> PageserverClient::create_project(const ProjectId& project, const BranchId& root, SystemId system_id) {
    json::object body{{"root_branch", root.str()}, {"system_identifier", std::to_string(system_id.value)}};
    BOUGH_ASSIGN(auto answer, http_.call("PUT", path_of(project), boost::json::serialize(body), kLongTimeout));
    return position_in(answer);
}

Result<void> PageserverClient::delete_project(const ProjectId& project) {
    return done(http_.call("DELETE", path_of(project), {}, kLongTimeout));
}

Result<void> PageserverClient::create_branch(const ProjectId& project, const BranchId& branch, const BranchId& parent, Position at) {
    json::object body{{"parent", parent.str()}, {"lsn", at.lsn.to_string()}, {"prev_lsn", at.prev_lsn.to_string()}};
    return done(http_.call("PUT", path_of(project, branch), boost::json::serialize(body)));
}

Result<void> PageserverClient::delete_branch(const ProjectId& project, const BranchId& branch) {
    return done(http_.call("DELETE", path_of(project, branch), {}, kLongTimeout));
}

Result<PageserverBranch> PageserverClient::branch(const ProjectId& project, const BranchId& branch) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", path_of(project, branch)));
    BOUGH_ASSIGN(auto fields, json::parse_object(answer));
    BOUGH_ASSIGN(auto ingest_lsn, json::lsn_field(fields, "ingest_lsn"));
    BOUGH_ASSIGN(auto durable_lsn, json::lsn_field(fields, "durable_lsn"));
    BOUGH_ASSIGN(auto oldest_lsn, json::lsn_field(fields, "oldest_lsn"));
    return PageserverBranch{ingest_lsn, durable_lsn, oldest_lsn};
}

Result<BranchSize> PageserverClient::size(const ProjectId& project, const BranchId& branch) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", path_of(project, branch) + "/size"));
    BOUGH_ASSIGN(auto fields, json::parse_object(answer));
    BranchSize size;
    BOUGH_ASSIGN(size.logical_bytes, json::unsigned_field(fields, "logical_bytes"));
    BOUGH_ASSIGN(auto in_files, json::unsigned_field(fields, "stored_bytes"));
    BOUGH_ASSIGN(auto unflushed, json::unsigned_field(fields, "unflushed_bytes"));
    size.stored_bytes = in_files + unflushed;
    return size;
}

Result<void> PageserverClient::set_restore_window(const ProjectId& project, std::uint64_t seconds, std::uint64_t wal_bytes) {
    json::object body{{"seconds", seconds}, {"bytes", wal_bytes}};
    return done(http_.call("PUT", path_of(project) + "/restore-window", boost::json::serialize(body)));
}

Result<void> PageserverClient::create_snapshot(const ProjectId& project, const SnapshotId& snapshot, const BranchId& branch, Position at) {
    json::object body{{"branch", branch.str()}, {"lsn", at.lsn.to_string()}, {"prev_lsn", at.prev_lsn.to_string()}};
    return done(http_.call("PUT", path_of(project) + "/snapshots/" + snapshot.str(), boost::json::serialize(body)));
}

Result<void> PageserverClient::delete_snapshot(const ProjectId& project, const SnapshotId& snapshot) {
    return done(http_.call("DELETE", path_of(project) + "/snapshots/" + snapshot.str()));
}

Result<void> PageserverClient::follow(const ProjectId& project, const BranchId& branch, const std::vector<std::string>& safekeepers) {
    json::object body{{"safekeepers", json::array(safekeepers.begin(), safekeepers.end())}};
    return done(http_.call("POST", path_of(project, branch) + "/follow", boost::json::serialize(body)));
}

Result<void> PageserverClient::unfollow(const ProjectId& project, const BranchId& branch) {
    return done(http_.call("POST", path_of(project, branch) + "/unfollow"));
}

Result<void> PageserverClient::wait(const ProjectId& project, const BranchId& branch, Lsn lsn, std::chrono::milliseconds timeout) {
    json::object body{{"lsn", lsn.to_string()}, {"timeout_ms", timeout.count()}};
    return done(http_.call("POST", path_of(project, branch) + "/wait", boost::json::serialize(body), timeout + std::chrono::seconds(5)));
}

Result<Position> PageserverClient::position_at_time(const ProjectId& project, const BranchId& branch, std::int64_t time_us) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", path_of(project, branch) + "/lsn-at?time=" + std::to_string(time_us)));
    return position_in(answer);
}

Result<std::string> PageserverClient::basebackup(const ProjectId& project, const BranchId& branch, Position at) {
    return http_.call("GET",
                      path_of(project, branch) + "/basebackup?lsn=" + http::encode(at.lsn.to_string()) +
                          "&prev_lsn=" + http::encode(at.prev_lsn.to_string()),
                      {}, kLongTimeout);
}

}  // namespace bough::control
