#include "control/api/views.hpp"

#include "base/timestamp.hpp"

namespace bough::control {
namespace json = boost::json;

json::object project_view(const ProjectRow& row) {
    return {{"id", row.id.str()},
            {"name", row.name},
            {"pg_version", 15},
            {"system_identifier", std::to_string(row.system_id.value)},
            {"default_branch", row.default_branch.str()},
            {"database_name", row.database},
            {"role_name", row.owner},
            {"history_retention_seconds", row.restore_window.seconds},
            {"history_retention_wal_bytes", row.restore_window.wal_bytes},
            {"created_at", timestamp_text(row.created_at_us)}};
}

json::object branch_view(const Catalog& catalog, const BranchRow& row) {
    json::object view{{"id", row.id.str()},
                      {"project_id", row.project.str()},
                      {"name", row.name},
                      {"current_state", row.state == RowState::creating ? "init" : "ready"},
                      {"parent_id", nullptr},
                      {"parent_name", nullptr},
                      {"parent_lsn", row.lsn.to_string()},
                      {"lsn", row.lsn.to_string()},
                      {"endpoint_id", row.endpoint.str()},
                      {"created_at", timestamp_text(row.created_at_us)}};
    if (row.parent) {
        view["parent_id"] = row.parent->str();
        if (auto parent = catalog.branch(row.project, row.parent->str())) view["parent_name"] = parent->name;
    }
    return view;
}

json::object snapshot_view(const Catalog& catalog, const SnapshotRow& row) {
    json::object view{{"id", row.id.str()},
                      {"name", row.name},
                      {"project_id", row.project.str()},
                      {"source_branch_id", row.branch.str()},
                      {"source_branch_name", nullptr},
                      {"lsn", row.lsn.to_string()},
                      {"created_at", timestamp_text(row.created_at_us)}};
    if (auto branch = catalog.branch(row.project, row.branch.str())) view["source_branch_name"] = branch->name;
    return view;
}

json::object endpoint_view(const BranchRow& branch, const ComputeView& compute) {
    bool running = compute.state == ComputeState::running;
    json::object view{{"id", branch.endpoint.str()},
                      {"branch_id", branch.id.str()},
                      {"branch", branch.name},
                      {"state", to_string(compute.state)},
                      {"port", branch.port},
                      {"pid", nullptr},
                      {"term", nullptr},
                      {"start_lsn", nullptr}};
    if (running) {
        view["pid"] = compute.pid;
        view["term"] = compute.term.value;
        view["start_lsn"] = compute.start_lsn.to_string();
    }
    if (!compute.last_error.empty()) view["last_error"] = compute.last_error;
    return view;
}

std::string metrics_text(const Catalog& catalog, Computes& computes) {
    std::size_t running = 0;
    auto branches = catalog.branches();
    for (const auto& branch : branches)
        if (computes.view(branch).state == ComputeState::running) ++running;
    auto gauge = [](const char* name, const char* help, std::size_t value) {
        return std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " gauge\n" + name + " " + std::to_string(value) + "\n";
    };
    return gauge("bough_control_projects", "Projects in the catalog.", catalog.projects().size()) +
           gauge("bough_control_branches", "Branches in the catalog.", branches.size()) +
           gauge("bough_control_computes_running", "Computes that run.", running);
}

}  // namespace bough::control
