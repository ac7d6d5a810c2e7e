#include "control/api/safekeeper_views.hpp"

#include <algorithm>
#include <future>
#include <set>

#include "json/configuration.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

constexpr std::size_t kBranchesShown = 50;  // those with a compute first

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view part_of(const Membership& project, const SafekeeperRow& row) {
    const bool member = contains(project.members, row.name);
    if (!project.next.empty() && member != contains(project.next, row.name)) {
        if (project.returning) return member ? "member" : "leaving";
        return member ? "leaving" : "joining";
    }
    if (member) return "member";
    return row.leaving ? "left" : "unused";
}

json::object branch_positions(const Quorum& quorum, const BranchRow& branch) {
    auto positions = quorum.positions(branch.project, branch.id);
    Lsn end;
    for (const auto& position : positions)
        if (position) end = std::max(end, position->flush_lsn);
    json::array list;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        json::object entry{{"name", quorum.names()[i]}};
        if (positions[i]) {
            entry["term"] = positions[i]->term.value;
            entry["flush_lsn"] = positions[i]->flush_lsn.to_string();
            entry["commit_lsn"] = positions[i]->commit_lsn.to_string();
            entry["lag_bytes"] = end.value - positions[i]->flush_lsn.value;
            entry["streaming"] = positions[i]->streaming;
        } else {
            entry["error"] = positions[i].error().message;
        }
        list.push_back(std::move(entry));
    }
    return {{"branch", branch.name}, {"configuration", json::configuration_object(quorum.in_force(positions))}, {"safekeepers", std::move(list)}};
}

// The branches to look at, of those that have WAL.
std::vector<BranchRow> shown(const Catalog& catalog, const ProjectId& project) {
    auto branches = catalog.branches(project);
    std::erase_if(branches, [](const BranchRow& row) { return row.state != RowState::ready; });
    std::stable_partition(branches.begin(), branches.end(), [](const BranchRow& row) { return row.compute_wanted; });
    if (branches.size() > kBranchesShown) branches.erase(branches.begin() + kBranchesShown, branches.end());
    return branches;
}

json::value change_view(const MembershipChanges& membership, const ProjectRow& project) {
    const auto& change = project.safekeepers;
    if (change.next.empty()) return nullptr;
    json::array to, waiting;
    for (const auto& name : change.returning ? change.members : change.next) to.emplace_back(name);
    for (const auto& [branch, what] : membership.waiting_for(project.id)) waiting.push_back(json::object{{"branch", branch}, {"for", what}});
    return json::object{{"to", std::move(to)}, {"called_off", change.returning}, {"waiting", std::move(waiting)}};
}

}  // namespace

Result<json::object> safekeepers_view(const Catalog& catalog, Safekeepers& safekeepers, const MembershipChanges& membership, const ProjectRow& project) {
    BOUGH_ASSIGN(auto quorum, safekeepers.of(project.id));
    json::array branches;
    for (const auto& branch : shown(catalog, project.id)) branches.push_back(branch_positions(quorum, branch));
    json::array list;
    std::vector<std::future<Result<std::size_t>>> counts;
    const auto rows = catalog.safekeepers();
    for (const auto& row : rows) {
        counts.push_back(std::async(std::launch::async, [client = safekeepers.find(row.name)]() -> Result<std::size_t> {
            if (!client) return Error{ErrorCode::internal, "its address is malformed", {}};
            return client->branch_count();
        }));
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto count = counts[i].get();
        json::object entry{{"name", rows[i].name}, {"admin", rows[i].admin}, {"state", part_of(project.safekeepers, rows[i])},
                           {"answers", count.has_value()}, {"branches", nullptr}, {"lag_bytes", nullptr}};
        if (count) entry["branches"] = *count;
        else entry["error"] = count.error().message;
        for (const auto& branch : branches) {
            for (const auto& position : branch.at("safekeepers").as_array()) {
                const auto& fields = position.as_object();
                if (fields.at("name") != entry.at("name") || !fields.contains("lag_bytes")) continue;
                auto lag = fields.at("lag_bytes").to_number<std::uint64_t>();
                auto& worst = entry["lag_bytes"];
                worst = worst.is_null() ? lag : std::max(lag, worst.to_number<std::uint64_t>());
            }
        }
        list.push_back(std::move(entry));
    }
    return json::object{{"safekeepers", std::move(list)}, {"branches", std::move(branches)}, {"change", change_view(membership, project)}};
}

}  // namespace bough::control
