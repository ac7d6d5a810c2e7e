#include "control/storage/safekeeper_client.hpp"

#include <boost/json/serialize.hpp>

#include "control/storage/history_json.hpp"
#include "json/configuration.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

constexpr auto kSilence = std::chrono::seconds(2);
constexpr int kCreateAnswerTimes = 3;  // it syncs several files
constexpr auto kBeginOverhead = std::chrono::seconds(10);  // beyond the patience that is asked for

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
    BOUGH_ASSIGN(position.streaming, json::bool_field_or(fields, "streaming", false));
    BOUGH_ASSIGN(position.source, json::string_field_or(fields, "source", ""));
    BOUGH_ASSIGN(position.configuration, json::configuration_field(fields));
    if (const auto* configuration = fields.if_contains("configuration"); configuration != nullptr && configuration->is_object()) {
        BOUGH_ASSIGN(position.configured_in.value, json::unsigned_field_or(configuration->get_object(), "term", 0));
    }
    BOUGH_ASSIGN(position.source_lost, json::bool_field_or(fields, "source_lost", false));
    return position;
}

json::array addresses(const std::vector<SafekeeperAddress>& safekeepers) {
    json::array result;
    for (const auto& safekeeper : safekeepers)
        result.push_back(json::object{{"name", safekeeper.name}, {"admin", safekeeper.admin.to_string()}, {"wal", safekeeper.wal}});
    return result;
}

Result<void> done(const Result<std::string>& answer) {
    if (!answer) return answer.error();
    return {};
}

}  // namespace

std::string SafekeeperClient::target(const ProjectId& project, const BranchId& branch, const std::string& verb, std::string query) const {
    if (!address_.identity.empty()) query += (query.empty() ? "identity=" : "&identity=") + address_.identity;
    return "/v1/branches/" + project.str() + "/" + branch.str() + verb + (query.empty() ? "" : "?") + query;
}

Result<std::string> SafekeeperClient::call(const std::string& method, const std::string& target, const std::string& body, int answer_times) {
    if (std::chrono::steady_clock::now() < silent_until_.load())
        return Error{ErrorCode::timeout, "safekeeper " + address_.name + " did not answer a moment ago", {}};
    auto answer = http_.call(method, target, body, answer_time_ * answer_times);
    if (!answer && answer.error().code == ErrorCode::timeout) silent_until_ = std::chrono::steady_clock::now() + kSilence;
    return answer;
}

Result<std::string> SafekeeperClient::identity() {
    BOUGH_ASSIGN(auto body, call("GET", "/status"));
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    return json::string_field_or(fields, "identity", "");
}

Result<std::string> SafekeeperClient::boot_id() {
    BOUGH_ASSIGN(auto body, call("GET", "/status"));
    BOUGH_ASSIGN(auto fields, json::parse_object(body));
    return json::string_field(fields, "boot_id");
}

Result<void> SafekeeperClient::create_branch(const ProjectId& project, const BranchId& branch, const BranchStart& start) {
    json::object body{{"start_lsn", start.at.lsn.to_string()},
                      {"prev_lsn", start.at.prev_lsn.to_string()},
                      {"system_identifier", std::to_string(start.system_id.value)},
                      {"segment_bytes", kWalSegmentBytes}};
    if (start.parent) body["parent"] = json::object{{"branch", start.parent->str()}};
    return done(call("PUT", target(project, branch), boost::json::serialize(body), kCreateAnswerTimes));
}

Result<void> SafekeeperClient::delete_branch(const ProjectId& project, const BranchId& branch) {
    return done(call("DELETE", target(project, branch)));
}

Result<SafekeeperPosition> SafekeeperClient::position(const ProjectId& project, const BranchId& branch) {
    BOUGH_ASSIGN(auto answer, call("GET", target(project, branch)));
    return position_in(answer);
}

Result<SafekeeperPosition> SafekeeperClient::vote(const ProjectId& project, const BranchId& branch, Term term) {
    json::object body{{"term", term.value}};
    BOUGH_ASSIGN(auto answer, call("POST", target(project, branch, "/vote"), boost::json::serialize(body)));
    return position_in(answer);
}

Result<SafekeeperPosition> SafekeeperClient::begin(const ProjectId& project, const BranchId& branch, const BeginOrder& order,
                                                   std::chrono::milliseconds patience) {
    json::object body{{"term", order.term.value},
                      {"begin_lsn", order.at.lsn.to_string()},
                      {"prev_lsn", order.at.prev_lsn.to_string()},
                      {"history", history_json(order.history)},
                      {"source", order.source},
                      {"donors", addresses(order.donors)},
                      {"peers", addresses(order.peers)},
                      {"wait_ms", patience.count()}};
    if (order.configuration.generation != 0) body["configuration"] = json::configuration_object(order.configuration);
    BOUGH_ASSIGN(auto answer, http_.call("POST", target(project, branch, "/begin"), boost::json::serialize(body), kBeginOverhead + patience));
    return position_in(answer);
}

Result<std::size_t> SafekeeperClient::branch_count() {
    BOUGH_ASSIGN(auto answer, call("GET", "/v1/branches" + (address_.identity.empty() ? "" : "?identity=" + address_.identity)));
    BOUGH_ASSIGN(auto fields, json::parse_object(answer));
    const auto* list = fields.if_contains("branches");
    return list != nullptr && list->is_array() ? list->get_array().size() : 0;
}

Result<void> SafekeeperClient::commit(const ProjectId& project, const BranchId& branch, Term term, Lsn commit_lsn) {
    json::object body{{"term", term.value}, {"commit_lsn", commit_lsn.to_string()}};
    return done(call("POST", target(project, branch, "/commit"), boost::json::serialize(body)));
}

Result<void> SafekeeperClient::durable(const ProjectId& project, const BranchId& branch, Lsn durable_lsn) {
    json::object body{{"durable_lsn", durable_lsn.to_string()}};
    return done(call("POST", target(project, branch, "/durable"), boost::json::serialize(body)));
}

Result<Position> SafekeeperClient::boundary(const ProjectId& project, const BranchId& branch, Lsn lsn) {
    BOUGH_ASSIGN(auto answer, http_.call("GET", target(project, branch, "/boundary", "lsn=" + http::encode(lsn.to_string()))));
    BOUGH_ASSIGN(auto fields, json::parse_object(answer));
    Position position;
    BOUGH_ASSIGN(position.lsn, json::lsn_field(fields, "lsn"));
    BOUGH_ASSIGN(position.prev_lsn, json::lsn_field(fields, "prev_lsn"));
    return position;
}

Result<std::string> SafekeeperClient::wal(const ProjectId& project, const BranchId& branch, Lsn from, Lsn to) {
    return http_.call("GET", target(project, branch, "/wal", "from=" + http::encode(from.to_string()) + "&to=" + http::encode(to.to_string())));
}

Result<void> rest(SafekeeperClient& safekeeper, const ProjectId& project, const BranchId& branch) {
    auto position = safekeeper.position(project, branch);
    if (!position) {
        bool nothing = position.error().code == ErrorCode::not_found || position.error().code == ErrorCode::failed_precondition;
        return nothing ? Result<void>{} : position.error();
    }
    if (position->configured_in < position->term) return {};
    auto vote = safekeeper.vote(project, branch, Term{position->term.value + 1});
    if (!vote) return vote.error();
    return {};
}

}  // namespace bough::control
