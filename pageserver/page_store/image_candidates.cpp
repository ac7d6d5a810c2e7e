#include "pageserver/page_store/image_candidates.hpp"

#include <bit>

namespace bough::pageserver {

void ImageCandidates::add(BranchNumber branch, const ObjectKey& page) {
    Stretch stretch{branch, page};
    stretch.second.block = page.block / kStretchPages;
    const std::uint32_t at = page.block % kStretchPages;
    const std::lock_guard lock(mutex_);
    auto found = stretches_.find(stretch);
    if (found == stretches_.end()) {
        if (stretches_.size() == kStretchesMax) return;
        found = stretches_.emplace(stretch, Bits{}).first;
    }
    found->second[at / 64] |= std::uint64_t{1} << at % 64;
}

std::vector<ObjectKey> ImageCandidates::take(BranchNumber branch, std::size_t pages_max) {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectKey> taken;
    auto at = stretches_.lower_bound({branch, ObjectKey{}});
    while (at != stretches_.end() && at->first.first == branch) {
        Bits& bits = at->second;
        for (std::size_t word = 0; word < bits.size(); ++word) {
            while (bits[word] != 0) {
                if (taken.size() == pages_max) return taken;
                const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits[word]));
                bits[word] &= bits[word] - 1;
                taken.push_back(at->first.second);
                taken.back().block = static_cast<std::uint32_t>(at->first.second.block * kStretchPages + word * 64 + bit);
            }
        }
        at = stretches_.erase(at);
    }
    return taken;
}

bool ImageCandidates::has(BranchNumber branch) const {
    const std::lock_guard lock(mutex_);
    const auto at = stretches_.lower_bound({branch, ObjectKey{}});
    return at != stretches_.end() && at->first.first == branch;
}

void ImageCandidates::forget(BranchNumber branch) {
    const std::lock_guard lock(mutex_);
    std::erase_if(stretches_, [&](const auto& stretch) { return stretch.first.first == branch; });
}

}  // namespace bough::pageserver
