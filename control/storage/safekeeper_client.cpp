#include "control/storage/safekeeper_client.hpp"

#include <boost/json/serialize.hpp>

#include "control/storage/history_json.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

constexpr auto kQuickTimeout = std::chrono::seconds(5);
constexpr auto kBeginTimeout = std::chrono::seconds(60);  // it may have to catch up from a donor

std::string path_of(const ProjectId& project, const BranchId& branch) { return "/v1/branches/" + project.str() + "/" + branch.str(); }

Result<SafekeeperPosition> position_in(const std::string& body) {
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    SafekeeperPosition position;
    BOUGH_ASSIGN(auto term, json::unsigned_field(fields, "term"));
    BOUGH_ASSIGN(auto last_term, json::unsigned_field(fields, "last_term"));
    position.term = Term{term};
    position.last_term = Term{last_term};
    BOUGH_ASSIGN(position.history, history_in(fields));
    BOUGH_ASSIGN(position.start_lsn, json::lsn_field(fields, "start_lsn"));
    BOUGH_ASSIGN(position.flush_lsn, json::lsn_field(fields, "flush_lsn"));
    BOUGH_ASSIGN(position.end.lsn, json::lsn_field(fields, "end_lsn"));
    BOUGH_ASSIGN(position.end.prev_lsn, json::lsn_field(fields, "last_record_lsn"));
    BOUGH_ASSIGN(position.commit_lsn, json::lsn_field(fields, "commit_lsn"));
    BOUGH_ASSIGN(position.granted, json::bool_field_or(fields, "granted", false));
    return position;
}

json::array addresses(const std::vector<const SafekeeperAddress*>& safekeepers) {
    json::array result;
    for (const auto* safekeeper : safekeepers)
        result.push_back(json::object{{"admin", safekeeper->admin.to_string()}, {"wal", safekeeper->wal}});
    return result;
}

Result<void> done(const Result<std::string>& answer) {
    if (!answer) return answer.error();
    return {};
}

}  // namespace

Result<std::string> SafekeeperClient::boot_id() {
    BOUGH_ASSIGN(auto body, http_.call("GET", "/status", {}, kQuickTimeout));
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    return json::string_field(fields, "boot_id");
}

Result<void> SafekeeperClient::create_branch(const ProjectId& project, const BranchId& branch, const BranchStart& start) {
    json::object body{{"start_lsn", start.at.lsn.to_string()},
                      {"prev_lsn", start.at.prev_lsn.to_string()},
                      {"system_identifier", std::to_string(start.system_id.value)},
                      {"segment_bytes", 16 << 20}};
    if (start.parent) body["parent"] = json::object{{"branch", start.parent->str()}};
    return done(http_.call("PUT", path_of(project, branch), boost::json::serialize(body)));
}

Result<void> SafekeeperClient::delete_branch(const ProjectId& project, const BranchId& branch) {
    return done(http_.call("DELETE", path_of(project, branch)));
}

Result<SafekeeperPosition> SafekeeperClient::position(const ProjectId& project, const BranchId& branch) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", path_of(project, branch), {}, kQuickTimeout));
    return position_in(answer);
}

Result<SafekeeperPosition> SafekeeperClient::vote(const ProjectId& project, const BranchId& branch, Term term) {
    json::object body{{"term", term.value}};
    BOUGH_ASSIGN(auto answer, http_.call("POST", path_of(project, branch) + "/vote", boost::json::serialize(body), kQuickTimeout));
    return position_in(answer);
}

Result<SafekeeperPosition> SafekeeperClient::begin(const ProjectId& project, const BranchId& branch, const BeginOrder& order) {
    json::object body{{"term", order.term.value},
                      {"begin_lsn", order.at.lsn.to_string()},
                      {"prev_lsn", order.at.prev_lsn.to_string()},
                      {"history", history_json(order.history)},
                      {"source", order.source},
                      {"donors", addresses(order.donors)},
                      {"peers", addresses(order.peers)}};
    BOUGH_ASSIGN(auto answer, http_.call("POST", path_of(project, branch) + "/begin", boost::json::serialize(body), kBeginTimeout));
    return position_in(answer);
}

Result<void> SafekeeperClient::commit(const ProjectId& project, const BranchId& branch, Term term, Lsn commit_lsn) {
    json::object body{{"term", term.value}, {"commit_lsn", commit_lsn.to_string()}};
    return done(http_.call("POST", path_of(project, branch) + "/commit", boost::json::serialize(body), kQuickTimeout));
}

Result<Position> SafekeeperClient::boundary(const ProjectId& project, const BranchId& branch, Lsn lsn) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", path_of(project, branch) + "/boundary?lsn=" + http::encode(lsn.to_string())));
    BOUGH_ASSIGN(auto fields, json::parse_object(answer));
    Position position;
    BOUGH_ASSIGN(position.lsn, json::lsn_field(fields, "lsn"));
    BOUGH_ASSIGN(position.prev_lsn, json::lsn_field(fields, "prev_lsn"));
    return position;
}

Result<std::string> SafekeeperClient::wal(const ProjectId& project, const BranchId& branch, Lsn from, Lsn to) {
    return http_.call("GET", path_of(project, branch) + "/wal?from=" + http::encode(from.to_string()) + "&to=" + http::encode(to.to_string()));
}

}  // namespace bough::control
