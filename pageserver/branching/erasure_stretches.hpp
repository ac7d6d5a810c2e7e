// Which deleted branches' versions are compacted away together.
#pragma once

#include <set>
#include <vector>

#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// The numbers of `erasing` in order, divided where one of `staying` lies between: the versions of one stretch lie side by side in the
// store's files, and nobody else's among them. The two sets have nothing in common.
inline std::vector<std::vector<BranchNumber>> stretches_between(const std::set<BranchNumber>& staying,
                                                                const std::set<BranchNumber>& erasing) {
    std::vector<std::vector<BranchNumber>> stretches;
    for (const BranchNumber number : erasing) {
        if (stretches.empty() || staying.lower_bound(stretches.back().back()) != staying.lower_bound(number)) stretches.emplace_back();
        stretches.back().push_back(number);
    }
    return stretches;
}

}  // namespace bough::pageserver
