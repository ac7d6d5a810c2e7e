#include "control/storage/safekeepers.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace bough::control {
namespace {

constexpr std::size_t kNewProjectMembersMax = 5;
constexpr const char* kNobody = "nobody";  // an identity that no safekeeper has: whoever is called by it refuses

// It becomes a part of a standby's name, see the safekeeper's --name.
Result<void> check_safekeeper_name(const std::string& name) {
    bool good = !name.empty() && name.size() <= 40;
    for (char c : name) good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    if (good) return {};
    return Error{ErrorCode::invalid_argument, "invalid safekeeper name \"" + name.substr(0, 80) + "\"",
                 "a name is 1 to 40 characters of a-z, 0-9 and '_'"};
}

// Two names for one process would be two answers of one disk.
Result<void> check_different(const SafekeeperAddress& one, const SafekeeperAddress& other) {
    if (one.name == other.name)
        return Error{ErrorCode::invalid_argument, "two safekeepers are called \"" + one.name + "\"", "give each a name of its own"};
    if (one.admin.to_string() == other.admin.to_string() || one.wal == other.wal)
        return Error{ErrorCode::invalid_argument, "safekeepers \"" + one.name + "\" and \"" + other.name + "\" have the same address",
                     "name each process once, with its own admin address and wal conninfo"};
    return {};
}

}  // namespace

Result<void> Safekeepers::introduce(const std::vector<SafekeeperAddress>& addresses) {
    Membership everyone;
    for (std::size_t i = 0; i < addresses.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) BOUGH_TRY(check_different(addresses[j], addresses[i]));
    for (const auto& address : addresses) {
        BOUGH_TRY(introduce(address));
        everyone.members.push_back(address.name);
    }
    for (const auto& project : catalog_.projects())
        if (project.safekeepers.members.empty()) BOUGH_TRY(catalog_.put(project.id, project.safekeepers, everyone));
    return {};
}

Result<void> Safekeepers::introduce(const SafekeeperAddress& address) {
    BOUGH_TRY(check_safekeeper_name(address.name));
    SafekeeperRow row{address.name, address.admin.to_string(), address.wal, {}, false};
    for (const auto& known : catalog_.safekeepers()) {
        if (known.name != row.name) continue;
        row.leaving = known.leaving;
        row.identity = known.identity;
        if (known == row) return {};
    }
    return catalog_.put(row);
}

std::shared_ptr<SafekeeperClient> Safekeepers::find(const std::string& name) {
    for (auto row : catalog_.safekeepers()) {
        if (row.name != name) continue;
        auto admin = net::Address::parse(row.admin);
        if (!admin) return nullptr;
        if (row.identity.empty()) learn_identity(row, *admin);
        std::lock_guard lock(mutex_);
        auto& client = clients_[name];
        if (!client || client->address().admin.to_string() != row.admin || client->address().wal != row.wal || client->address().identity != row.identity)
            client = std::make_shared<SafekeeperClient>(SafekeeperAddress{row.name, *admin, row.wal, row.identity});
        return client;
    }
    return nullptr;
}

// One that is away now is asked again the next time.
void Safekeepers::learn_identity(SafekeeperRow& row, const net::Address& admin) {
    auto identity = SafekeeperClient(SafekeeperAddress{row.name, admin, row.wal, {}}).identity();
    if (!identity || identity->empty()) return;
    for (const auto& other : catalog_.safekeepers()) {
        if (other.name == row.name || other.identity != *identity) continue;
        row.identity = kNobody;
        std::lock_guard lock(mutex_);
        auto known = clients_.find(row.name);
        if (known == clients_.end() || known->second->address().identity != kNobody)
            spdlog::error("safekeeper {} at {} is safekeeper {}: it is not used, since one that answers twice is no quorum", row.name, row.admin, other.name);
        return;
    }
    row.identity = *identity;
    if (auto put = catalog_.put(row); !put) spdlog::warn("safekeeper {}: {}", row.name, put.error().message);
}

Result<Quorum> Safekeepers::of(const ProjectId& project) {
    BOUGH_ASSIGN(auto row, catalog_.project(project.str()));
    const auto& [members, next, settling, returning] = row.safekeepers;
    std::vector<std::shared_ptr<SafekeeperClient>> clients;
    for (const auto& name : everybody({1, members, next})) {
        auto client = find(name);
        if (!client) return Error{ErrorCode::internal, "safekeeper \"" + name + "\" of project \"" + row.name + "\" is not known", {}};
        clients.push_back(std::move(client));
    }
    return Quorum(std::move(clients), Configuration{1, settling ? next : members, {}});
}

std::vector<std::string> Safekeepers::for_new_project() const {
    std::vector<std::string> names;
    for (const auto& row : catalog_.safekeepers())
        if (!row.leaving && names.size() < kNewProjectMembersMax) names.push_back(row.name);
    return names;
}

}  // namespace bough::control
