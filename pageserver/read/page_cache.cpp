#include "pageserver/read/page_cache.hpp"

#include <cstring>
#include <utility>

namespace bough::pageserver {

PageCache::PageCache(std::size_t bytes_max) : slots_per_shard_(bytes_max / pg::kPageBytes / kShards), shards_(kShards) {
    for (Shard& shard : shards_) {
        shard.slots.reserve(slots_per_shard_);
        // Memory that is not written yet is not there yet.
        shard.pages = std::make_unique_for_overwrite<std::byte[]>(slots_per_shard_ * pg::kPageBytes);
    }
}

PageCache::Slot* PageCache::find(Shard& shard, const Key& key) {
    const auto found = shard.slot_of.find(key);
    return found == shard.slot_of.end() ? nullptr : &shard.slots[found->second];
}

void PageCache::copy_out(const Shard& shard, Slot& slot, pg::Page out) {
    slot.used = true;
    const auto index = static_cast<std::size_t>(&slot - shard.slots.data());
    std::memcpy(out.data(), shard.pages.get() + index * pg::kPageBytes, pg::kPageBytes);
}

std::uint32_t PageCache::take_slot(Shard& shard) {
    if (shard.slots.size() < slots_per_shard_) {
        shard.slots.emplace_back();
        pages_.fetch_add(1, std::memory_order_relaxed);
        return static_cast<std::uint32_t>(shard.slots.size() - 1);
    }
    while (true) {
        shard.hand = (shard.hand + 1) % shard.slots.size();
        Slot& slot = shard.slots[shard.hand];
        if (std::exchange(slot.used, false)) continue;
        shard.slot_of.erase(slot.key);
        return static_cast<std::uint32_t>(shard.hand);
    }
}

std::optional<Lsn> PageCache::get_below(const Key& key, Lsn lsn, pg::Page out) {
    if (slots_per_shard_ == 0) return std::nullopt;
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Slot* slot = find(shard, key);
    if (slot == nullptr || slot->validity.version >= lsn) return std::nullopt;
    copy_out(shard, *slot, out);
    return slot->validity.version;
}

void PageCache::put(const Key& key, const Validity& validity, pg::ConstPage page) {
    if (slots_per_shard_ == 0) return;
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.slot_of.find(key);
    if (found != shard.slot_of.end() && shard.slots[found->second].validity.through >= validity.through) return;
    const std::uint32_t index = found != shard.slot_of.end() ? found->second : take_slot(shard);
    if (found == shard.slot_of.end()) shard.slot_of.emplace(key, index);
    shard.slots[index] = {key, validity, false};
    std::memcpy(shard.pages.get() + std::size_t{index} * pg::kPageBytes, page.data(), pg::kPageBytes);
}

}  // namespace bough::pageserver
