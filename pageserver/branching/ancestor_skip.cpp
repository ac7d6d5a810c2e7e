#include "pageserver/branching/ancestor_skip.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include <boost/unordered/unordered_flat_set.hpp>

#include "pageserver/branching/branch.hpp"
#include "pageserver/page_store/touched_set.hpp"

namespace bough::pageserver {
namespace {

// An object whose bits are all zero would look like a free slot.
constexpr std::uint32_t kNeverZero = 1u << 31;

}  // namespace

std::unique_ptr<const AncestorSkip> AncestorSkip::make(const Branch& branch, unsigned reach) {
    const Branch* one = &branch;
    for (unsigned i = 0; i < reach; ++i, one = one->parent())
        if (one->parent()->ingest_lsn() < one->start()) return nullptr;

    std::unique_ptr<AncestorSkip> skip(new AncestorSkip());
    // Of the nearest ancestor that has it each, the nearest first: many change the same objects.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> touched;  // fingerprint and index
    boost::unordered_flat_set<std::uint32_t> known;
    one = &branch;
    Lsn start = branch.start();
    for (std::uint32_t index = 0; index < reach; ++index) {
        start = std::min(start, one->start());
        one = one->parent();
        skip->end_ = {one, start, false};
        if (one->parent() == nullptr) break;
        std::optional<std::vector<std::uint32_t>> own(std::in_place);
        if (one->has_own_versions()) own = one->touched().fingerprints();
        if (!own) break;
        std::erase_if(*own, [&](std::uint32_t fingerprint) { return known.contains(fingerprint); });
        if (touched.size() + own->size() > TouchedSet::kObjectsMax) break;
        for (const std::uint32_t fingerprint : *own) touched.emplace_back(fingerprint, index);
        known.insert(own->begin(), own->end());
        skip->ancestors_.push_back({one, start, false});
        skip->end_.passed_over = true;
    }

    skip->slots_.resize(std::bit_ceil(2 * touched.size() + 1));
    for (const auto& [fingerprint, index] : touched) skip->insert(fingerprint, index);
    return skip;
}

// What is there already is of a nearer one.
void AncestorSkip::insert(std::uint32_t fingerprint, std::uint32_t index) {
    const std::uint32_t bits = (fingerprint | kNeverZero) & ~kIndexMask;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = fingerprint & mask;; slot = (slot + 1) & mask) {
        if (slots_[slot] == 0) {
            slots_[slot] = bits | index;
            return;
        }
        if ((slots_[slot] & ~kIndexMask) == bits) return;
    }
}

const AncestorSkip::Place& AncestorSkip::find(std::uint64_t object_hash) const {
    end_.branch->prefetch();
    const std::uint32_t fingerprint = TouchedSet::fingerprint(object_hash);
    const std::uint32_t bits = (fingerprint | kNeverZero) & ~kIndexMask;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = fingerprint & mask;; slot = (slot + 1) & mask) {
        const std::uint32_t there = slots_[slot];
        if (there == 0) return end_;
        if ((there & ~kIndexMask) == bits) return ancestors_[there & kIndexMask];
    }
}

}  // namespace bough::pageserver
