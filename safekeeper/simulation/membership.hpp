// What control's catalog says of who keeps the branch. What is in force is not there but on the safekeepers.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bough/configuration.hpp"

namespace bough::safekeeper::simulation {

struct Membership {
    std::vector<std::string> members;
    std::vector<std::string> next;    // who they shall be; empty: no change is under way
    bool settling = false;            // all is done, and is looked at once more
    bool returning = false;           // called off: back to `members`
    std::set<std::string> leaving{};  // who left, or was to come when a change was called off: none of them is ever a member again
    std::set<std::string> errands{};  // who left and has not been put to rest

    bool changing() const { return !next.empty(); }
    // Who may keep WAL: these are asked.
    std::vector<std::string> everybody() const { return bough::everybody({1, members, next}); }
    // While no safekeeper knows any.
    Configuration initial() const { return {1, settling ? next : members, {}}; }
    const std::vector<std::string>& target() const { return returning ? members : next; }
    // It cannot be called off (any more).
    bool settled() const { return settling || returning; }

    // REQUIRES no change under way; none of `to` is leaving.
    void begin(const std::vector<std::string>& to);
    // Refused when all is as good as done.
    void call_off();
    // The branch is with target() and nowhere else, as it was asked for in `before`: unless that has changed since.
    void arrived(const Membership& before);
};

}  // namespace bough::safekeeper::simulation
