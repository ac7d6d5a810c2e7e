#include "safekeeper/admin/api.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "json/configuration.hpp"
#include "json/fields.hpp"
#include "pg/wal_format.hpp"
#include "safekeeper/admin/metrics.hpp"
#include "safekeeper/exchange/position_json.hpp"
#include "safekeeper/segment/disk_space.hpp"

namespace bough::safekeeper::admin {
namespace {

using namespace std::chrono_literals;
using http::PathParameters;
using http::Request;
using http::Response;

constexpr std::chrono::milliseconds kBeginTimeout = 50s;  // below what clients wait for an answer

Response json_response(const boost::json::object& body, unsigned status = 200) {
    return {.status = status, .body = boost::json::serialize(body), .content_type = "application/json"};
}

Result<BranchName> name_of(const PathParameters& path) {
    BOUGH_ASSIGN(auto project, ProjectId::parse(path.at("project")));
    BOUGH_ASSIGN(auto branch, BranchId::parse(path.at("branch")));
    return BranchName{std::move(project), std::move(branch)};
}

Result<Lsn> lsn_of_query(const Request& request, const std::string& name) {
    auto found = request.query.find(name);
    auto lsn = found == request.query.end() ? std::nullopt : Lsn::parse(found->second);
    if (!lsn) return Error{ErrorCode::invalid_argument, "query parameter \"" + name + "\" must be an LSN such as 16/B374D848", {}};
    return *lsn;
}

// A system identifier does not fit a JSON number safely, so it may be a string too.
Result<SystemId> system_id_field(const boost::json::object& body) {
    const auto* found = body.if_contains("system_identifier");
    if (found != nullptr && found->is_string()) {
        const auto& text = found->get_string();
        SystemId id;
        auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id.value);
        if (failed == std::errc{} && end == text.data() + text.size()) return id;
    }
    BOUGH_ASSIGN(auto number, json::unsigned_field(body, "system_identifier"));
    return SystemId{number};
}

Result<BranchOrigin> parse_origin(const std::string& text) {
    BOUGH_ASSIGN(auto body, json::parse_object(text));
    BranchOrigin origin;
    BOUGH_ASSIGN(origin.start_lsn, json::lsn_field(body, "start_lsn"));
    BOUGH_ASSIGN(origin.start_record, json::lsn_field(body, "prev_lsn"));
    BOUGH_ASSIGN(origin.system_id, system_id_field(body));
    BOUGH_ASSIGN(auto segment_bytes, json::unsigned_field_or(body, "segment_bytes", origin.segment_bytes));
    if (!pg::valid_wal_segment_bytes(segment_bytes))
        return Error{ErrorCode::invalid_argument, "invalid WAL segment size " + std::to_string(segment_bytes), {}};
    origin.segment_bytes = static_cast<std::uint32_t>(segment_bytes);
    if (!origin.start_lsn.valid() || origin.start_record >= origin.start_lsn)
        return Error{ErrorCode::invalid_argument, "start_lsn must lie behind prev_lsn", {}};
    if (const auto* parent = body.if_contains("parent"); parent != nullptr && !parent->is_null()) {
        BOUGH_ASSIGN(auto fields, json::object_field(body, "parent"));
        BOUGH_ASSIGN(auto id, json::string_field(fields, "branch"));
        BOUGH_ASSIGN(origin.parent, BranchId::parse(id));
    }
    return origin;
}

Result<std::vector<consensus::Peer>> parse_peers(const boost::json::object& body, const char* name, const std::string& own_address) {
    std::vector<consensus::Peer> peers;
    const auto* found = body.if_contains(name);
    if (found == nullptr || found->is_null()) return peers;
    if (!found->is_array()) return Error{ErrorCode::invalid_argument, std::string("field \"") + name + "\" must be a list", {}};
    for (const auto& item : found->get_array()) {
        if (!item.is_object()) return Error{ErrorCode::invalid_argument, std::string("field \"") + name + "\" must list objects", {}};
        consensus::Peer peer;
        BOUGH_ASSIGN(peer.admin, json::string_field(item.get_object(), "admin"));
        BOUGH_ASSIGN(peer.wal, json::string_field_or(item.get_object(), "wal", ""));
        BOUGH_ASSIGN(peer.name, json::string_field_or(item.get_object(), "name", ""));
        bool known = std::any_of(peers.begin(), peers.end(), [&](const auto& other) { return other.admin == peer.admin; });
        if (!known && peer.admin != own_address) peers.push_back(std::move(peer));
    }
    return peers;
}

Result<consensus::TermHistory> parse_history(const boost::json::object& body) {
    std::vector<consensus::TermBegin> entries;
    const auto* found = body.if_contains("history");
    if (found == nullptr || found->is_null()) return consensus::TermHistory{};
    if (!found->is_array()) return Error{ErrorCode::invalid_argument, "field \"history\" must be a list", {}};
    for (const auto& item : found->get_array()) {
        if (!item.is_object()) return Error{ErrorCode::invalid_argument, "field \"history\" must list objects", {}};
        consensus::TermBegin entry;
        BOUGH_ASSIGN(entry.term.value, json::unsigned_field(item.get_object(), "term"));
        BOUGH_ASSIGN(entry.begin, json::lsn_field(item.get_object(), "begin_lsn"));
        entries.push_back(entry);
    }
    return consensus::TermHistory::make(std::move(entries));
}

Result<consensus::BeginRequested> parse_begin(const std::string& text, const std::string& own_address) {
    BOUGH_ASSIGN(auto body, json::parse_object(text));
    consensus::BeginRequested begin;
    BOUGH_ASSIGN(begin.term.value, json::unsigned_field(body, "term"));
    BOUGH_ASSIGN(begin.begin_lsn, json::lsn_field(body, "begin_lsn"));
    BOUGH_ASSIGN(begin.history, parse_history(body));
    BOUGH_ASSIGN(begin.assignment.source, json::string_field(body, "source"));
    BOUGH_ASSIGN(begin.assignment.peers, parse_peers(body, "peers", own_address));
    BOUGH_ASSIGN(begin.assignment.configuration, json::configuration_field(body));
    BOUGH_ASSIGN(begin.donors, parse_peers(body, "donors", own_address));
    return begin;
}

class Handlers {
public:
    explicit Handlers(const Api& api) : api_(api) {}

    Result<Response> status() const {
        boost::json::object body{{"boot_id", api_.boot_id}, {"identity", api_.identity}, {"version", BOUGH_VERSION}, {"pid", ::getpid()},
                                 {"disk_full", segment::disk_space().full()}};
        if (auto free = segment::DiskSpace::free_bytes(api_.branches.data_directory())) body["disk_free_bytes"] = *free;
        return json_response(body);
    }

    Result<Response> metrics() const {
        return Response{.status = 200, .body = metrics_text(api_.branches, api_.wal_listener.sessions()),
                        .content_type = "text/plain; version=0.0.4"};
    }

    Result<Response> list() const {
        boost::json::array branches;
        for (const auto& name : api_.branches.names())
            branches.push_back({{"project", name.project.str()}, {"branch", name.branch.str()}});
        return json_response({{"branches", std::move(branches)}});
    }

    Result<Response> create(const Request& request, const BranchName& name) const {
        BOUGH_ASSIGN(auto origin, parse_origin(request.body));
        BOUGH_ASSIGN(bool made, api_.branches.create(name, origin));
        BOUGH_ASSIGN(auto branch, api_.branches.find_branch(name));
        return json_response(exchange::position_json(branch->position()), made ? 201 : 200);
    }

    Result<Response> remove(const Request&, const BranchName& name) const {
        BOUGH_TRY(api_.branches.remove(name));
        return json_response({});
    }

    Result<Response> position(const Request&, Branch& branch) const {
        return json_response(exchange::position_json(branch.position()));
    }

    Result<Response> vote(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto term, json::unsigned_field(body, "term"));
        BOUGH_ASSIGN(auto vote, branch.vote(Term{term}));
        auto answer = exchange::position_json(vote.position);
        answer["granted"] = vote.granted;
        return json_response(answer);
    }

    Result<Response> begin(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto begin, parse_begin(request.body, api_.own_address));
        BOUGH_ASSIGN(auto fields, json::parse_object(request.body));
        BOUGH_ASSIGN(auto wait_ms, json::unsigned_field_or(fields, "wait_ms", kBeginTimeout.count()));
        std::chrono::milliseconds wait(std::min<std::uint64_t>(wait_ms, kBeginTimeout.count()));
        BOUGH_ASSIGN(auto position, branch.begin(std::move(begin), wait));
        return json_response(exchange::position_json(position));
    }

    Result<Response> commit(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto term, json::unsigned_field(body, "term"));
        BOUGH_ASSIGN(auto lsn, json::lsn_field(body, "commit_lsn"));
        branch.learn_commit(Term{term}, lsn);
        return json_response(exchange::position_json(branch.position()));
    }

    Result<Response> durable(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto lsn, json::lsn_field(body, "durable_lsn"));
        branch.learn_durable(lsn);
        return json_response(exchange::position_json(branch.position()));
    }

    Result<Response> boundary(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto lsn, lsn_of_query(request, "lsn"));
        BOUGH_ASSIGN(auto found, branch.boundary(lsn));
        return json_response({{"lsn", found.end.to_string()}, {"prev_lsn", found.start.to_string()}});
    }

    Result<Response> wal(const Request& request, Branch& branch) const {
        BOUGH_ASSIGN(auto from, lsn_of_query(request, "from"));
        BOUGH_ASSIGN(auto to, lsn_of_query(request, "to"));
        BOUGH_ASSIGN(auto bytes, branch.read_wal(from, to));
        return Response{.status = 200, .body = std::move(bytes), .content_type = "application/octet-stream"};
    }

    Result<Response> positions(const Request& request) const {
        BOUGH_ASSIGN(auto answer, api_.exchange.answer(request.body));
        return Response{.status = 200, .body = std::move(answer), .content_type = "application/json"};
    }

    const Api api_;
};

Response respond(Result<Response> result) {
    return result ? std::move(*result) : http::error_response(result.error());
}

}  // namespace

http::Router make_router(const Api& api) {
    auto handlers = std::make_shared<const Handlers>(api);
    http::Router router;
    auto add = [&](const char* method, const char* pattern, auto handle) {
        router.add(method, pattern, [handlers, handle](const Request& request, const PathParameters&) {
            return respond(handle(*handlers, request));
        });
    };
    // Of a branch that need not exist.
    auto add_named = [&](const char* method, auto handle) {
        router.add(method, "/v1/branches/{project}/{branch}", [handlers, handle](const Request& request, const PathParameters& path) {
            auto name = name_of(path);
            return respond(name ? ((*handlers).*handle)(request, *name) : Result<Response>(name.error()));
        });
    };
    auto add_branch = [&](const char* method, const std::string& verb, auto handle) {
        router.add(method, "/v1/branches/{project}/{branch}" + verb, [handlers, handle](const Request& request, const PathParameters& path) {
            auto name = name_of(path);
            if (!name) return http::error_response(name.error());
            auto branch = handlers->api_.branches.find_branch(*name);
            return respond(branch ? ((*handlers).*handle)(request, **branch) : Result<Response>(branch.error()));
        });
    };
    add("GET", "/status", [](const Handlers& h, const Request&) { return h.status(); });
    add("GET", "/metrics", [](const Handlers& h, const Request&) { return h.metrics(); });
    add("GET", "/v1/branches", [](const Handlers& h, const Request&) { return h.list(); });
    add("POST", "/v1/positions", [](const Handlers& h, const Request& request) { return h.positions(request); });
    add_named("PUT", &Handlers::create);
    add_named("DELETE", &Handlers::remove);
    add_branch("GET", "", &Handlers::position);
    add_branch("POST", "/vote", &Handlers::vote);
    add_branch("POST", "/begin", &Handlers::begin);
    add_branch("POST", "/commit", &Handlers::commit);
    add_branch("POST", "/durable", &Handlers::durable);
    add_branch("GET", "/boundary", &Handlers::boundary);
    add_branch("GET", "/wal", &Handlers::wal);
    return router;
}

http::Response answer(const http::Router& router, const std::string& identity, const http::Request& request) {
    auto meant = request.query.find("identity");
    if (meant == request.query.end() || meant->second == identity) return router.dispatch(request);
    return http::error_response({ErrorCode::failed_precondition, "the safekeeper does not have the data that it had: it may have lost its disk",
                                 "put another one in its place with `bough safekeeper replace`"});
}

}  // namespace bough::safekeeper::admin
