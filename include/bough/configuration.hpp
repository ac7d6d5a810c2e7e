// Who counts in a branch's quorum, by name. docs/decisions/0010-joint-membership.md says why it changes the way it does.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"

namespace bough {

// While members are being exchanged both lists count: a quorum is then a majority of each (a joint configuration).
struct Configuration {
    std::uint64_t generation = 0;       // rises with every change; 0: none was ever given
    std::vector<std::string> members;
    std::vector<std::string> next;      // who shall be the members; empty when no change is under way
    bool joint() const { return !next.empty(); }
    bool operator==(const Configuration&) const = default;
};

inline constexpr std::size_t kMembersMax = 7;

// invalid_argument: nobody, too many, or a name twice in a list, or a generation of 0.
Result<void> check_configuration(const Configuration& configuration);

// Members of either list, each once, those of `members` first.
std::vector<std::string> everybody(const Configuration& configuration);
bool is_member(const Configuration& configuration, const std::string& name);

std::size_t majority_of(std::size_t members);

// Whether these make a majority of each list.
bool is_quorum(const Configuration& configuration, const std::set<std::string>& names);

// The highest position that a quorum has reached; those who are not in `ends` have reached nothing. 0/0 if none.
Lsn quorum_end(const Configuration& configuration, const std::map<std::string, Lsn>& ends);

// "2: a b c" or "3: a b c, then a c d"; "none" for generation 0.
std::string to_string(const Configuration& configuration);

}  // namespace bough
