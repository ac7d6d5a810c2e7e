// Private to this folder: the pages that are worth an image at their branch's cutoff.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// A set of pages, a bit each in stretches of their forks, since after a busy day they are most pages of a database. Compactions add to
// it, and find again what there was no room for: it takes 10 MB at most, which is 512 GB of pages that lie close together. Thread-safe.
class ImageCandidates {
public:
    static constexpr std::size_t kStretchPages = 4096;
    static constexpr std::size_t kStretchesMax = 1 << 14;

    void add(BranchNumber branch, const ObjectKey& page);
    // Removes at most `pages_max` of the branch, in the order of their keys.
    std::vector<ObjectKey> take(BranchNumber branch, std::size_t pages_max);
    bool has(BranchNumber branch) const;
    void forget(BranchNumber branch);

private:
    using Stretch = std::pair<BranchNumber, ObjectKey>;  // whose `block` counts stretches
    using Bits = std::array<std::uint64_t, kStretchPages / 64>;

    mutable std::mutex mutex_;
    std::map<Stretch, Bits> stretches_;  // under mutex_; none is empty
};

}  // namespace bough::pageserver
