// Passing over many ancestors of a branch at once.
#pragma once

#include <array>

#include "bough/lsn.hpp"
#include "pageserver/page_store/touched_set.hpp"

namespace bough::pageserver {

class Branch;

// Of a branch: what the ancestors that it leads past have versions of, together. An object that is not in it is looked for from `to`
// on, at or below `start`; where it leads past `to` as well, from the parent of that on, and below where that began.
struct AncestorSkip {
    // Every so many generations there is one of as many ancestors, `to` being the last.
    static constexpr std::array<unsigned, 3> kReaches = {4, 16, 64};
    static_assert(kReaches[1] % kReaches[0] == 0 && kReaches[2] % kReaches[1] == 0);

    TouchedSet touched;
    const Branch* to = nullptr;  // never null
    // Never past a root, which has nearly all that is looked for, nor when they would have touched too much together: then only past
    // those before `to`.
    bool past_to = false;
    Lsn start;  // the earliest of the LSNs where the branches on the way began
};

}  // namespace bough::pageserver
