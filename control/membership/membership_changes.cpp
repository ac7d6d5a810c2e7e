#include "control/membership/membership_changes.hpp"

#include <algorithm>
#include <chrono>

#include <spdlog/spdlog.h>

namespace bough::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 200ms;  // between two looks at what could not go on

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string list(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

// Parents before children: the first segment of a branch begins with bytes of its parent's.
std::vector<BranchRow> parents_first(std::vector<BranchRow> branches) {
    std::map<BranchId, std::optional<BranchId>> parents;
    for (const auto& branch : branches) parents[branch.id] = branch.parent;
    auto depth = [&](const BranchRow& branch) {
        std::size_t ancestors = 0;
        for (auto parent = branch.parent; parent && ancestors <= parents.size(); parent = parents[*parent]) ++ancestors;
        return ancestors;
    };
    std::stable_sort(branches.begin(), branches.end(), [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
    return branches;
}

}  // namespace

MembershipChanges::MembershipChanges(Catalog& catalog, Safekeepers& safekeepers, Computes& computes)
    : catalog_(catalog), safekeepers_(safekeepers), computes_(computes) {}

MembershipChanges::~MembershipChanges() { stop(); }

void MembershipChanges::start() {
    thread_ = std::thread([this] { run(); });
}

void MembershipChanges::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

Result<void> MembershipChanges::begin(const ProjectId& id, const MembershipChange& change) {
    BOUGH_ASSIGN(auto project, catalog_.project(id.str()));
    const auto& before = project.safekeepers;
    if (project.state != RowState::ready) return Error{ErrorCode::failed_precondition, "project \"" + project.name + "\" is not ready", {}};
    if (!before.next.empty()) {
        return Error{ErrorCode::failed_precondition,
                     "the safekeepers of project \"" + project.name + "\" are already being changed to " + list(before.next),
                     "wait until that is done; `bough safekeeper list` shows what it waits for, `bough safekeeper cancel` goes back"};
    }
    if (!change.add && change.remove.empty()) return Error{ErrorCode::invalid_argument, "nothing to change", "name a safekeeper to add or to remove"};
    auto after = before.members;
    if (!change.remove.empty() && !contains(after, change.remove)) {
        return Error{ErrorCode::not_found, "safekeeper \"" + change.remove + "\" keeps no WAL of project \"" + project.name + "\"",
                     "its safekeepers are " + list(before.members)};
    }
    if (change.add) {
        const auto& name = change.add->name;
        if (contains(after, name))
            return Error{ErrorCode::already_exists, "safekeeper \"" + name + "\" already keeps the WAL of project \"" + project.name + "\"", {}};
        for (const auto& row : catalog_.safekeepers()) {
            if (row.name == name && row.leaving)
                return Error{ErrorCode::failed_precondition, "safekeeper \"" + name + "\" was removed or replaced before",
                             "a safekeeper that left may have lost what it promised; give the new one a name of its own"};
        }
        if (!change.add->wal.empty()) {
            BOUGH_TRY(check_distinct(*change.add));
            BOUGH_TRY(safekeepers_.introduce(*change.add));
        }
        auto client = safekeepers_.find(name);
        if (!client) return Error{ErrorCode::not_found, "safekeeper \"" + name + "\" is not known", "name it to bough-control with --safekeeper"};
        if (auto there = client->boot_id(); !there) return there.error().within("safekeeper \"" + name + "\" does not answer");
        BOUGH_TRY(check_distinct(client->address()));
    }
    auto place = std::find(after.begin(), after.end(), change.remove);
    if (place != after.end() && change.add) *place = change.add->name;
    else if (place != after.end()) after.erase(place);
    else after.push_back(change.add->name);
    if (after.empty()) return Error{ErrorCode::failed_precondition, "safekeeper \"" + change.remove + "\" is the only one", "add another one first"};
    BOUGH_TRY(check_configuration({1, after, {}}));
    if (!change.remove.empty()) BOUGH_TRY(mark_leaving(change.remove, true));
    BOUGH_TRY(catalog_.put(id, before, {before.members, after, false, false}));
    spdlog::info("project {}: changing its safekeepers from {} to {}", project.name, list(before.members), list(after));
    std::lock_guard lock(mutex_);
    asked_ = true;
    wake_.notify_all();
    return {};
}

// One disk under two names would count twice.
Result<void> MembershipChanges::check_distinct(const SafekeeperAddress& address) const {
    auto identity = SafekeeperClient({address.name, address.admin, address.wal, {}}).identity();
    if (!identity || identity->empty()) return {};  // that it does not answer is said elsewhere
    for (const auto& row : catalog_.safekeepers()) {
        if (row.name == address.name || row.identity != *identity) continue;
        return Error{ErrorCode::invalid_argument, "safekeeper \"" + address.name + "\" is safekeeper \"" + row.name + "\": both addresses lead to the same data",
                     "give each a data directory and an address of its own"};
    }
    return {};
}

Result<void> MembershipChanges::call_off(const ProjectId& id) {
    BOUGH_ASSIGN(auto project, catalog_.project(id.str()));
    auto change = project.safekeepers;
    if (change.next.empty()) return Error{ErrorCode::failed_precondition, "no change of the safekeepers of project \"" + project.name + "\" is under way", {}};
    if (change.settling) return Error{ErrorCode::failed_precondition, "the change to " + list(change.next) + " is as good as done", {}};
    if (change.returning) return {};
    change.returning = true;
    BOUGH_TRY(catalog_.put(id, project.safekeepers, change));
    spdlog::info("project {}: going back to its safekeepers {}", project.name, list(change.members));
    std::lock_guard lock(mutex_);
    asked_ = true;
    wake_.notify_all();
    return {};
}

std::map<std::string, std::string> MembershipChanges::waiting_for(const ProjectId& project) const {
    std::lock_guard lock(mutex_);
    auto found = waiting_for_.find(project);
    return found == waiting_for_.end() ? std::map<std::string, std::string>{} : found->second;
}

void MembershipChanges::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        wake_.wait(lock, [this] { return stopping_ || asked_; });
        asked_ = false;
        bool all_done = true;
        lock.unlock();
        for (const auto& project : catalog_.projects())
            if (!project.safekeepers.next.empty() && project.state == RowState::ready) all_done = advance(project) && all_done;
        lock.lock();
        if (all_done) continue;
        wake_.wait_for(lock, kPause, [this] { return stopping_ || asked_; });
        asked_ = true;
    }
}

bool MembershipChanges::advance(const ProjectRow& project) {
    auto change = project.safekeepers;
    const auto& target = change.returning ? change.members : change.next;
    std::map<std::string, std::string> waiting;
    for (const auto& branch : parents_first(catalog_.branches(project.id))) {
        {
            std::lock_guard lock(mutex_);
            if (stopping_) return false;
        }
        auto moved = computes_.bring_to(branch, {target, change.returning, change.settling || change.returning});
        if (!moved) waiting[branch.name] = moved.error().message;
        else if (!moved->empty()) waiting[branch.name] = *moved;
    }
    {
        std::lock_guard lock(mutex_);
        waiting_for_[project.id] = waiting;
    }
    if (!waiting.empty()) return false;
    if (!change.settling && !change.returning) {
        // A branch that starts for the first time still began with the old members. From now on it does not; then all are looked at
        // once more, each while nobody starts it.
        change.settling = true;
        if (auto put = catalog_.put(project.id, project.safekeepers, change); !put) spdlog::warn("project {}: {}", project.name, put.error().message);
        return false;
    }
    auto finished = finish(project);
    if (!finished) spdlog::warn("project {}: {}", project.name, finished.error().message);
    return finished.has_value();
}

Result<void> MembershipChanges::finish(const ProjectRow& project) {
    const auto& [members, next, settling, returning] = project.safekeepers;
    if (returning) {
        for (const auto& name : members)
            if (!contains(next, name)) BOUGH_TRY(mark_leaving(name, false));
        // It may have voted; and mostly it is lost.
        for (const auto& name : next)
            if (!contains(members, name)) BOUGH_TRY(mark_leaving(name, true));
    }
    BOUGH_TRY(catalog_.put(project.id, project.safekeepers, {returning ? members : next, {}, false, false}));
    {
        std::lock_guard lock(mutex_);
        waiting_for_.erase(project.id);
    }
    spdlog::info("project {}: its safekeepers are now {}", project.name, list(returning ? members : next));
    return {};
}

Result<void> MembershipChanges::mark_leaving(const std::string& name, bool leaving) {
    for (auto row : catalog_.safekeepers()) {
        if (row.name != name || row.leaving == leaving) continue;
        row.leaving = leaving;
        BOUGH_TRY(catalog_.put(row));
    }
    return {};
}

}  // namespace bough::control
