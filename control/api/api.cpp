#include "control/api/api.hpp"

#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <openssl/crypto.h>

#include "base/timestamp.hpp"
#include "control/api/safekeeper_views.hpp"
#include "control/api/views.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

using http::PathParameters;
using http::Request;
using http::Response;

constexpr const char* kRoot = "/api/v2/projects";

Response answer(unsigned status, const json::object& body) { return {status, boost::json::serialize(body), "application/json"}; }

// Turns a handler's Result<Response> into the Response.
http::Route route(std::function<Result<Response>(const Request&, const PathParameters&)> handler) {
    return [handler = std::move(handler)](const Request& request, const PathParameters& parameters) {
        auto result = handler(request, parameters);
        return result ? *result : http::error_response(result.error());
    };
}

// Compares without telling by its duration how much was right.
bool same_key(const std::string& a, const std::string& b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

// Empty texts are absent.
Result<BranchPoint> branch_point(const std::string& lsn, const std::string& time) {
    BranchPoint point;
    if (!lsn.empty() && !time.empty())
        return Error{ErrorCode::invalid_argument, "an LSN and a time exclude each other", "give one of them"};
    if (!lsn.empty()) {
        point.lsn = Lsn::parse(lsn);
        if (!point.lsn) return Error{ErrorCode::invalid_argument, "invalid LSN \"" + lsn.substr(0, 80) + "\"", "an LSN looks like 16/B374D848"};
    }
    if (!time.empty()) {
        BOUGH_ASSIGN(auto time_us, parse_timestamp(time));
        point.time_us = time_us;
    }
    return point;
}

// {"add": {"name", "admin", "wal"}, "remove": name}; of one that is known the name is enough.
Result<MembershipChange> membership_change(const json::object& fields) {
    MembershipChange change;
    BOUGH_ASSIGN(change.remove, json::string_field_or(fields, "remove", ""));
    if (const auto* wanted = fields.if_contains("add"); wanted == nullptr || wanted->is_null()) return change;
    BOUGH_ASSIGN(auto add, json::object_field(fields, "add"));
    SafekeeperAddress address;
    BOUGH_ASSIGN(address.name, json::string_field(add, "name"));
    BOUGH_ASSIGN(address.wal, json::string_field_or(add, "wal", ""));
    BOUGH_ASSIGN(auto admin, json::string_field_or(add, "admin", ""));
    if (admin.empty() != address.wal.empty())
        return Error{ErrorCode::invalid_argument, "an address of a safekeeper has both \"admin\" and \"wal\"", {}};
    if (!admin.empty()) {
        BOUGH_ASSIGN(address.admin, net::Address::parse(admin));
    }
    change.add = std::move(address);
    return change;
}

Result<RestoreWindow> restore_window(const json::object& fields, RestoreWindow otherwise) {
    constexpr std::uint64_t kSecondsMax = 100ull * 366 * 24 * 3600;
    BOUGH_ASSIGN(otherwise.seconds, json::unsigned_field_or(fields, "history_retention_seconds", otherwise.seconds));
    BOUGH_ASSIGN(otherwise.wal_bytes, json::unsigned_field_or(fields, "history_retention_wal_bytes", otherwise.wal_bytes));
    if (otherwise.seconds > kSecondsMax)
        return Error{ErrorCode::invalid_argument, "a restore window of " + std::to_string(otherwise.seconds) + " seconds is too long",
                     "a hundred years are possible"};
    return otherwise;
}

std::string in_query(const Request& request, const std::string& name) {
    auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
}

}  // namespace

Api::Api(std::string api_key, std::string boot_id, Catalog& catalog, Branching& branching, Computes& computes, Safekeepers& safekeepers,
         MembershipChanges& membership, PageserverClient& pageserver)
    : api_key_(std::move(api_key)), boot_id_(std::move(boot_id)), catalog_(catalog), branching_(branching), computes_(computes),
      safekeepers_(safekeepers), membership_(membership), pageserver_(pageserver) {
    router_.add("GET", "/status", [this](const Request&, const PathParameters&) {
        return answer(200, {{"boot_id", boot_id_}, {"version", BOUGH_VERSION}, {"pid", ::getpid()}});
    });
    router_.add("GET", "/metrics", [this](const Request&, const PathParameters&) { return Response{200, metrics_text(catalog_, computes_), "text/plain; version=0.0.4"}; });
    add_projects();
    add_branches();
    add_endpoints();
    add_safekeepers();
    add_snapshots();
}

Response Api::handle(const Request& request) const {
    if (request.path != "/status" && !same_key(request.bearer, api_key_)) {
        return http::error_response({ErrorCode::unauthenticated, "missing or wrong API key", "send it as \"Authorization: Bearer KEY\"; it is in the data directory's file api-key"});
    }
    return router_.dispatch(request);
}

Result<BranchRow> Api::settled_branch(const ProjectRow& project, const std::string& id_or_name) const {
    BOUGH_ASSIGN(const auto row, catalog_.branch(project.id, id_or_name));
    return branching_.settled(row);
}

void Api::add_projects() {
    router_.add("GET", kRoot, [this](const Request&, const PathParameters&) {
        json::array list;
        for (const auto& row : catalog_.projects())
            if (row.state == RowState::ready) list.push_back(project_view(row));
        return answer(200, {{"projects", std::move(list)}});
    });
    router_.add("POST", kRoot, route([this](const Request& request, const PathParameters&) -> Result<Response> {
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto fields, json::object_field(body, "project"));
        NewProject wanted;
        BOUGH_ASSIGN(wanted.name, json::string_field(fields, "name"));
        BOUGH_ASSIGN(wanted.database, json::string_field_or(fields, "database_name", wanted.database));
        BOUGH_ASSIGN(wanted.owner, json::string_field_or(fields, "role_name", wanted.owner));
        BOUGH_ASSIGN(wanted.restore_window, restore_window(fields, wanted.restore_window));
        BOUGH_ASSIGN(auto project, branching_.create_project(wanted));
        BOUGH_ASSIGN(auto root, catalog_.branch(project.id, project.default_branch.str()));
        return answer(201, {{"project", project_view(project)}, {"branch", branch_view(catalog_, root)}});
    }));
    router_.add("GET", std::string(kRoot) + "/{project}", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        return answer(200, {{"project", project_view(project)}});
    }));
    router_.add("PATCH", std::string(kRoot) + "/{project}", route([this](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto fields, json::object_field(body, "project"));
        BOUGH_ASSIGN(auto window, restore_window(fields, project.restore_window));
        // Also when the catalog says so already: the pageserver may have another one, of a change whose answer was lost.
        BOUGH_ASSIGN(project, branching_.set_restore_window(project, window));
        return answer(200, {{"project", project_view(project)}});
    }));
    router_.add("DELETE", std::string(kRoot) + "/{project}", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_TRY(branching_.delete_project(project.id.str()));
        return answer(200, {{"project", project_view(project)}});
    }));
}

void Api::add_branches() {
    auto root = std::string(kRoot) + "/{project}/branches";
    router_.add("GET", root, route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        json::array list;
        // Also one that may have been acknowledged before this process began, and one that is being made.
        for (const auto& row : catalog_.branches(project.id))
            if (row.state != RowState::deleting) list.push_back(branch_view(catalog_, row));
        return answer(200, {{"branches", std::move(list)}});
    }));
    router_.add("POST", root, route([this](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto fields, json::object_field(body, "branch"));
        BOUGH_ASSIGN(auto name, json::string_field(fields, "name"));
        BOUGH_ASSIGN(auto parent_id, json::string_field_or(fields, "parent_id", project.default_branch.str()));
        BOUGH_ASSIGN(auto parent, settled_branch(project, parent_id));
        BOUGH_ASSIGN(auto lsn, json::string_field_or(fields, "parent_lsn", ""));
        BOUGH_ASSIGN(auto time, json::string_field_or(fields, "parent_timestamp", ""));
        BOUGH_ASSIGN(auto point, branch_point(lsn, time));
        BOUGH_ASSIGN(auto branch, branching_.create_branch(project, name, parent, point));
        return answer(201, {{"branch", branch_view(catalog_, branch)}});
    }));
    router_.add("GET", root + "/{branch}", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto branch, catalog_.branch(project.id, p.at("branch")));
        if (branch.state == RowState::deleting)
            return Error{ErrorCode::not_found, "branch \"" + branch.name + "\" is being deleted", {}};
        auto view = branch_view(catalog_, branch);
        // What only the pageserver knows is left out while it does not answer.
        if (auto size = pageserver_.size(project.id, branch.id)) {
            view["logical_size"] = size->logical_bytes;
            view["stored_size"] = size->stored_bytes;
        }
        if (auto known = pageserver_.branch(project.id, branch.id)) view["oldest_lsn"] = known->oldest_lsn.to_string();
        return answer(200, {{"branch", std::move(view)}});
    }));
    router_.add("DELETE", root + "/{branch}", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto branch, catalog_.branch(project.id, p.at("branch")));
        BOUGH_TRY(branching_.delete_branch(branch));
        return answer(200, {{"branch", branch_view(catalog_, branch)}});
    }));
}

void Api::add_snapshots() {
    auto root = std::string(kRoot) + "/{project}";
    router_.add("GET", root + "/snapshots", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        json::array list;
        for (const auto& row : catalog_.snapshots(project.id))
            if (row.state == RowState::ready) list.push_back(snapshot_view(catalog_, row));
        return answer(200, {{"snapshots", std::move(list)}});
    }));
    router_.add("POST", root + "/branches/{branch}/snapshot", route([this](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto branch, settled_branch(project, p.at("branch")));
        BOUGH_ASSIGN(auto point, branch_point(in_query(request, "lsn"), in_query(request, "timestamp")));
        BOUGH_ASSIGN(auto snapshot, branching_.create_snapshot(project, in_query(request, "name"), branch, point));
        return answer(201, {{"snapshot", snapshot_view(catalog_, snapshot)}});
    }));
    router_.add("POST", root + "/snapshots/{snapshot}/restore", route([this](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto snapshot, catalog_.snapshot(project.id, p.at("snapshot")));
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto name, json::string_field(body, "name"));
        BOUGH_ASSIGN(auto parent, catalog_.branch(project.id, snapshot.branch.str()));
        BranchPoint point;
        point.snapshot = Position{snapshot.lsn, snapshot.prev_lsn};
        BOUGH_ASSIGN(auto branch, branching_.create_branch(project, name, parent, point));
        return answer(201, {{"branch", branch_view(catalog_, branch)}});
    }));
    router_.add("DELETE", root + "/snapshots/{snapshot}", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto snapshot, catalog_.snapshot(project.id, p.at("snapshot")));
        auto view = snapshot_view(catalog_, snapshot);
        BOUGH_TRY(branching_.delete_snapshot(snapshot));
        return answer(200, {{"snapshot", std::move(view)}});
    }));
}

void Api::add_endpoints() {
    auto root = std::string(kRoot) + "/{project}";
    router_.add("GET", root + "/endpoints", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        json::array list;
        for (const auto& row : catalog_.branches(project.id))
            if (row.state == RowState::ready) list.push_back(endpoint_view(row, computes_.view(row)));
        return answer(200, {{"endpoints", std::move(list)}});
    }));
    // One endpoint a branch: it is named here by its branch.
    router_.add("POST", root + "/branches/{branch}/endpoint/start", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto branch, settled_branch(project, p.at("branch")));
        BOUGH_ASSIGN(auto view, computes_.start(branch));
        return answer(200, {{"endpoint", endpoint_view(branch, view)}});
    }));
    router_.add("POST", root + "/branches/{branch}/endpoint/suspend", route([this](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto branch, catalog_.branch(project.id, p.at("branch")));
        BOUGH_TRY(computes_.stop(branch));
        return answer(200, {{"endpoint", endpoint_view(branch, computes_.view(branch))}});
    }));
    router_.add("GET", root + "/connection_uri", route([this](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        auto wanted = request.query.find("branch_id");
        BOUGH_ASSIGN(auto branch, settled_branch(project, wanted == request.query.end() ? project.default_branch.str() : wanted->second));
        auto superuser = request.query.find("superuser");
        bool as_superuser = superuser != request.query.end() && superuser->second == "true";
        return answer(200, {{"uri", as_superuser ? computes_.superuser_url(branch) : computes_.owner_url(project, branch)}});
    }));
}

void Api::add_safekeepers() {
    auto root = std::string(kRoot) + "/{project}/safekeepers";
    auto view = [this](const PathParameters& p, unsigned status) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto shown, safekeepers_view(catalog_, safekeepers_, membership_, project));
        return answer(status, shown);
    };
    router_.add("GET", root, route([view](const Request&, const PathParameters& p) { return view(p, 200); }));
    // Accepted is not done: `change` is null in the list when it is.
    router_.add("POST", root, route([this, view](const Request& request, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_ASSIGN(auto body, json::parse_object(request.body));
        BOUGH_ASSIGN(auto change, membership_change(body));
        BOUGH_TRY(membership_.begin(project.id, change));
        return view(p, 202);
    }));
    router_.add("DELETE", root + "/change", route([this, view](const Request&, const PathParameters& p) -> Result<Response> {
        BOUGH_ASSIGN(auto project, catalog_.project(p.at("project")));
        BOUGH_TRY(membership_.call_off(project.id));
        return view(p, 202);
    }));
}

}  // namespace bough::control
