#include "pageserver/branching/ancestor_skip.hpp"

#include <algorithm>
#include <bit>
#include <optional>

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
    std::vector<std::vector<std::uint32_t>> touched;  // by each of `ancestors_`
    std::size_t objects = 0;
    one = &branch;
    Lsn start = branch.start();
    while (touched.size() < reach) {
        start = std::min(start, one->start());
        one = one->parent();
        skip->end_ = {one, start, false};
        if (one->parent() == nullptr) break;
        std::optional<std::vector<std::uint32_t>> own(std::in_place);
        if (one->has_own_versions()) own = one->touched().fingerprints();
        if (!own || objects + own->size() > TouchedSet::kObjectsMax) break;
        objects += own->size();
        touched.push_back(std::move(*own));
        skip->ancestors_.push_back({one, start, false});
        skip->end_.passed_over = true;
    }

    skip->slots_.resize(std::bit_ceil(2 * objects + 1));
    for (std::uint32_t index = 0; index < touched.size(); ++index)
        for (const std::uint32_t fingerprint : touched[index]) skip->insert(fingerprint, index);
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
