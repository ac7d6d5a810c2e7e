// Passing over many ancestors of a branch at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "bough/lsn.hpp"

namespace bough::pageserver {

class Branch;

// Of a branch: which of the next ancestors is the nearest that may have versions of an object. Never changes.
class AncestorSkip {
public:
    // Every so many generations there is one over as many ancestors.
    static constexpr std::array<unsigned, 3> kReaches = {4, 16, 64};
    static_assert(kReaches[1] % kReaches[0] == 0 && kReaches[2] % kReaches[1] == 0);

    // Where the walk goes on, at or below `start`, the earliest of the LSNs where the branches on the way began.
    struct Place {
        const Branch* branch;  // never null
        Lsn start;
        bool passed_over;  // it is known that this one has nothing either
    };

    // Over up to `reach` ancestors of the branch: not over a root, which has nearly all that is looked for, nor over one that touched too
    // much. nullptr: one of them has yet to ingest up to where its child begins. (Later it may get more versions, but none that its
    // child sees.)
    static std::unique_ptr<const AncestorSkip> make(const Branch& branch, unsigned reach);

    // The nearest that may have versions of the object of hash_object(), or, if none may, the end of the way.
    const Place& find(std::uint64_t object_hash) const;

private:
    // Open addressing; 0 is free. The upper bits are of TouchedSet::fingerprint(), the lower say which ancestor has it.
    static constexpr std::uint32_t kIndexMask = kReaches.back() - 1;
    static_assert((kReaches.back() & kIndexMask) == 0);

    AncestorSkip() = default;
    void insert(std::uint32_t fingerprint, std::uint32_t index);

    std::vector<std::uint32_t> slots_;  // a power of two
    Place end_{};
    std::vector<Place> ancestors_;  // that are passed over, the nearest first
};

}  // namespace bough::pageserver
