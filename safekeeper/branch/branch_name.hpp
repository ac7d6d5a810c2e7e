// A branch's full name.
#pragma once

#include <compare>
#include <string>

#include "bough/ids.hpp"

namespace bough::safekeeper {

struct BranchName {
    ProjectId project;
    BranchId branch;
    auto operator<=>(const BranchName&) const = default;
    std::string to_string() const { return "project " + project.str() + " branch " + branch.str(); }
};

}  // namespace bough::safekeeper
