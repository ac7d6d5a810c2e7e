#include "control/catalog/rows.hpp"

#include "json/fields.hpp"

namespace bough::control {
namespace {

std::string_view to_text(RowState state) {
    switch (state) {
        case RowState::creating: return "creating";
        case RowState::ready: return "ready";
        case RowState::deleting: return "deleting";
    }
    return "creating";
}

Result<RowState> state_of(const json::object& from) {
    BOUGH_ASSIGN(auto text, json::string_field(from, "state"));
    for (auto state : {RowState::creating, RowState::ready, RowState::deleting})
        if (text == to_text(state)) return state;
    return Error{ErrorCode::corrupt, "unknown row state \"" + text + "\"", {}};
}

template <class Id>
Result<Id> id_field(const json::object& from, std::string_view name) {
    BOUGH_ASSIGN(auto text, json::string_field(from, name));
    return Id::parse(text);
}

json::array names_array(const std::vector<std::string>& names) {
    json::array list;
    for (const auto& name : names) list.emplace_back(name);
    return list;
}

Result<std::vector<std::string>> names_in(const json::object& from, std::string_view name) {
    std::vector<std::string> names;
    const auto* found = from.if_contains(name);
    if (!found) return names;
    if (!found->is_array()) return Error{ErrorCode::corrupt, "field \"" + std::string(name) + "\" is no list", {}};
    for (const auto& item : found->get_array()) {
        if (!item.is_string()) return Error{ErrorCode::corrupt, "field \"" + std::string(name) + "\" lists no names", {}};
        names.emplace_back(item.get_string());
    }
    return names;
}

}  // namespace

json::object to_json(const SafekeeperRow& row) {
    return {{"name", row.name}, {"admin", row.admin}, {"wal", row.wal}, {"identity", row.identity}, {"leaving", row.leaving}};
}

Result<SafekeeperRow> safekeeper_row(const json::object& from) {
    SafekeeperRow row;
    BOUGH_ASSIGN(row.name, json::string_field(from, "name"));
    BOUGH_ASSIGN(row.admin, json::string_field(from, "admin"));
    BOUGH_ASSIGN(row.wal, json::string_field(from, "wal"));
    BOUGH_ASSIGN(row.identity, json::string_field_or(from, "identity", ""));
    BOUGH_ASSIGN(row.leaving, json::bool_field(from, "leaving"));
    return row;
}

json::object to_json(const ProjectRow& row) {
    return {{"id", row.id.str()},
            {"name", row.name},
            {"system_id", std::to_string(row.system_id.value)},
            {"created_at_us", row.created_at_us},
            {"state", to_text(row.state)},
            {"default_branch", row.default_branch.str()},
            {"database", row.database},
            {"owner", row.owner},
            {"owner_password", row.owner_password},
            {"owner_made", row.owner_made},
            {"safekeepers", names_array(row.safekeepers.members)},
            {"safekeepers_next", names_array(row.safekeepers.next)},
            {"safekeepers_settling", row.safekeepers.settling},
            {"safekeepers_returning", row.safekeepers.returning},
            {"history_retention_seconds", row.restore_window.seconds},
            {"history_retention_wal_bytes", row.restore_window.wal_bytes}};
}

json::object to_json(const BranchRow& row) {
    json::object result{{"id", row.id.str()},
                        {"project", row.project.str()},
                        {"name", row.name},
                        {"lsn", row.lsn.to_string()},
                        {"prev_lsn", row.prev_lsn.to_string()},
                        {"created_at_us", row.created_at_us},
                        {"state", to_text(row.state)},
                        {"endpoint", row.endpoint.str()},
                        {"port", row.port},
                        {"compute_wanted", row.compute_wanted}};
    if (row.parent) result["parent"] = row.parent->str();
    return result;
}

json::object to_json(const ErrandRow& row) {
    return {{"safekeeper", row.safekeeper},
            {"project", row.project.str()},
            {"branch", row.branch.str()},
            {"kind", row.kind == ErrandRow::Kind::rest ? "rest" : "remove"}};
}

Result<ErrandRow> errand_row(const json::object& from) {
    BOUGH_ASSIGN(auto safekeeper, json::string_field(from, "safekeeper"));
    BOUGH_ASSIGN(auto project, id_field<ProjectId>(from, "project"));
    BOUGH_ASSIGN(auto branch, id_field<BranchId>(from, "branch"));
    BOUGH_ASSIGN(auto kind, json::string_field(from, "kind"));
    if (kind != "rest" && kind != "remove") return Error{ErrorCode::corrupt, "unknown kind of errand \"" + kind + "\"", {}};
    return ErrandRow{safekeeper, project, branch, kind == "rest" ? ErrandRow::Kind::rest : ErrandRow::Kind::remove};
}

json::object to_json(const SnapshotRow& row) {
    return {{"id", row.id.str()},
            {"project", row.project.str()},
            {"branch", row.branch.str()},
            {"name", row.name},
            {"lsn", row.lsn.to_string()},
            {"prev_lsn", row.prev_lsn.to_string()},
            {"created_at_us", row.created_at_us},
            {"state", to_text(row.state)}};
}

Result<SnapshotRow> snapshot_row(const json::object& from) {
    BOUGH_ASSIGN(auto id, id_field<SnapshotId>(from, "id"));
    BOUGH_ASSIGN(auto project, id_field<ProjectId>(from, "project"));
    BOUGH_ASSIGN(auto branch, id_field<BranchId>(from, "branch"));
    BOUGH_ASSIGN(auto name, json::string_field(from, "name"));
    BOUGH_ASSIGN(auto lsn, json::lsn_field(from, "lsn"));
    BOUGH_ASSIGN(auto prev_lsn, json::lsn_field(from, "prev_lsn"));
    BOUGH_ASSIGN(auto created_at_us, json::unsigned_field(from, "created_at_us"));
    BOUGH_ASSIGN(auto state, state_of(from));
    return SnapshotRow{id, project, branch, name, lsn, prev_lsn, static_cast<std::int64_t>(created_at_us), state};
}

Result<ProjectRow> project_row(const json::object& from) {
    BOUGH_ASSIGN(auto id, id_field<ProjectId>(from, "id"));
    BOUGH_ASSIGN(auto default_branch, id_field<BranchId>(from, "default_branch"));
    BOUGH_ASSIGN(auto name, json::string_field(from, "name"));
    BOUGH_ASSIGN(auto system_id, json::string_field(from, "system_id"));
    BOUGH_ASSIGN(auto created_at_us, json::unsigned_field(from, "created_at_us"));
    BOUGH_ASSIGN(auto state, state_of(from));
    BOUGH_ASSIGN(auto database, json::string_field(from, "database"));
    BOUGH_ASSIGN(auto owner, json::string_field(from, "owner"));
    BOUGH_ASSIGN(auto owner_password, json::string_field(from, "owner_password"));
    BOUGH_ASSIGN(auto owner_made, json::bool_field(from, "owner_made"));
    // Rows of a time when the safekeepers were those of the system have none.
    Membership safekeepers;
    BOUGH_ASSIGN(safekeepers.members, names_in(from, "safekeepers"));
    BOUGH_ASSIGN(safekeepers.next, names_in(from, "safekeepers_next"));
    BOUGH_ASSIGN(safekeepers.settling, json::bool_field_or(from, "safekeepers_settling", false));
    BOUGH_ASSIGN(safekeepers.returning, json::bool_field_or(from, "safekeepers_returning", false));
    RestoreWindow window;
    BOUGH_ASSIGN(window.seconds, json::unsigned_field_or(from, "history_retention_seconds", window.seconds));
    BOUGH_ASSIGN(window.wal_bytes, json::unsigned_field_or(from, "history_retention_wal_bytes", window.wal_bytes));
    return ProjectRow{id,       name,     SystemId{std::strtoull(system_id.c_str(), nullptr, 10)}, static_cast<std::int64_t>(created_at_us), state,
                      default_branch, database, owner, owner_password, owner_made, safekeepers, window};
}

Result<BranchRow> branch_row(const json::object& from) {
    BOUGH_ASSIGN(auto id, id_field<BranchId>(from, "id"));
    BOUGH_ASSIGN(auto project, id_field<ProjectId>(from, "project"));
    BOUGH_ASSIGN(auto endpoint, id_field<EndpointId>(from, "endpoint"));
    BOUGH_ASSIGN(auto name, json::string_field(from, "name"));
    BOUGH_ASSIGN(auto parent_text, json::string_field_or(from, "parent", ""));
    std::optional<BranchId> parent;
    if (!parent_text.empty()) {
        BOUGH_ASSIGN(auto parent_id, BranchId::parse(parent_text));
        parent = parent_id;
    }
    BOUGH_ASSIGN(auto lsn, json::lsn_field(from, "lsn"));
    BOUGH_ASSIGN(auto prev_lsn, json::lsn_field(from, "prev_lsn"));
    BOUGH_ASSIGN(auto created_at_us, json::unsigned_field(from, "created_at_us"));
    BOUGH_ASSIGN(auto state, state_of(from));
    BOUGH_ASSIGN(auto port, json::unsigned_field(from, "port"));
    BOUGH_ASSIGN(auto compute_wanted, json::bool_field(from, "compute_wanted"));
    return BranchRow{id,    project,  name, parent, lsn, prev_lsn, static_cast<std::int64_t>(created_at_us), state, endpoint,
                     static_cast<std::uint16_t>(port), compute_wanted};
}

}  // namespace bough::control
