#include "safekeeper/simulation/membership.hpp"

#include <algorithm>

namespace bough::safekeeper::simulation {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void Membership::begin(const std::vector<std::string>& to) {
    next = to;
    settling = returning = false;
    for (const auto& name : members)
        if (!contains(next, name)) leaving.insert(name);
}

void Membership::call_off() {
    if (changing() && !settling) returning = true;
}

void Membership::arrived(const Membership& before) {
    if (next != before.next || settling != before.settling || returning != before.returning) return;
    if (!settling && !returning) {
        settling = true;
        return;
    }
    for (const auto& name : returning ? next : members)
        if (!contains(target(), name)) leaving.insert(name);
    if (returning)
        for (const auto& name : members) leaving.erase(name);
    members = std::vector<std::string>(target());
    next.clear();
    settling = returning = false;
}

}  // namespace bough::safekeeper::simulation
