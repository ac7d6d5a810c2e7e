// Passing over many ancestors of a branch at once.
#pragma once

#include <array>

#include "bough/lsn.hpp"
#include "pageserver/page_store/touched_set.hpp"

namespace bough::pageserver {

class Branch;

// Of a branch: what the ancestors that it leads past have versions of, together. An object that is not in it is looked for from `to`
// on, or from its parent on when that is passed over too, at or below `start`.
struct AncestorSkip {
    // Every so many generations there is one past as many ancestors.
    static constexpr std::array<unsigned, 3> kReaches = {4, 16, 64};
    static_assert(kReaches[1] % kReaches[0] == 0 && kReaches[2] % kReaches[1] == 0);

    TouchedSet touched;
    const Branch* to = nullptr;  // the last of so many ancestors; never null
    bool past_to = true;         // it is one of those passed over: always, unless it has touched so much that none could be
    Lsn start;                   // the earliest of the LSNs where the branches on the way began
};

}  // namespace bough::pageserver
