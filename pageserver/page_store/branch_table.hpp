// The branches of a store that have something in memory, by number.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "pageserver/page_store/branch_versions.hpp"

namespace bough::pageserver {

// Finding takes no lock. Branch numbers are given in order and never again, so that a table by number costs a pointer for each
// number ever given; what is made stays until the table goes. Thread-safe.
class BranchTable {
public:
    explicit BranchTable(OpenBytes& open_bytes) : open_bytes_(open_bytes) {}
    BranchTable(const BranchTable&) = delete;
    BranchTable& operator=(const BranchTable&) = delete;

    // Null: nothing was made for this number.
    BranchVersions* find(BranchNumber number) const {
        const auto [segment, offset] = place(number);
        const Slots* slots = segments_[segment].load(std::memory_order_acquire);
        return slots == nullptr ? nullptr : (*slots)[offset].load(std::memory_order_acquire);
    }
    BranchVersions& find_or_make(BranchNumber number) {
        if (BranchVersions* there = find(number)) return *there;
        const std::lock_guard lock(making_);
        if (BranchVersions* there = find(number)) return *there;
        const auto [segment, offset] = place(number);
        Slots* slots = segments_[segment].load(std::memory_order_relaxed);
        if (slots == nullptr) {
            owned_slots_.push_back(std::make_unique<Slots>(kFirstSlots << segment));
            slots = owned_slots_.back().get();
            segments_[segment].store(slots, std::memory_order_release);
        }
        all_.push_back(std::make_unique<BranchVersions>(number, open_bytes_));
        (*slots)[offset].store(all_.back().get(), std::memory_order_release);
        return *all_.back();
    }
    std::vector<BranchVersions*> all() const {
        const std::lock_guard lock(making_);
        std::vector<BranchVersions*> found;
        found.reserve(all_.size());
        for (const auto& branch : all_) found.push_back(branch.get());
        return found;
    }

private:
    // Segment s has kFirstSlots << s slots, so that no number moves when the table grows.
    using Slots = std::vector<std::atomic<BranchVersions*>>;
    static constexpr std::uint64_t kFirstSlots = 64;
    static constexpr std::size_t kSegments = 28;
    static std::pair<std::size_t, std::size_t> place(BranchNumber number) {
        const std::uint64_t shifted = number.value + kFirstSlots;
        const auto segment =
            static_cast<std::size_t>(std::bit_width(shifted)) - static_cast<std::size_t>(std::bit_width(kFirstSlots));
        return {segment, shifted - (kFirstSlots << segment)};
    }

    OpenBytes& open_bytes_;
    std::array<std::atomic<Slots*>, kSegments> segments_{};
    mutable std::mutex making_;
    std::vector<std::unique_ptr<Slots>> owned_slots_;   // under making_
    std::vector<std::unique_ptr<BranchVersions>> all_;  // under making_
};

}  // namespace bough::pageserver
