// A cache of pages as they were made from their versions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "bough/lsn.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/version_key.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// Holds one page of each (store, branch, object): that of a version, with how far up in the log this version is known to be the newest.
// Thread-safe: divided into shards with a lock each, held for as long as it takes to copy a page.
class PageCache {
public:
    struct Key {
        std::uint64_t store = 0;  // Store::id()
        BranchNumber branch;      // which has the version
        ObjectKey object;
        bool operator==(const Key&) const = default;
    };
    // The version at `version` is the branch's newest at or below any LSN in [version, through].
    struct Validity {
        Lsn version;
        Lsn through;
    };

    // At most that many bytes of pages; 0: holds nothing.
    explicit PageCache(std::size_t bytes_max);
    PageCache(const PageCache&) = delete;
    PageCache& operator=(const PageCache&) = delete;

    // Copies the page as of `at` to `out` if it is there. A page that is known up to an earlier LSN only counts if `unchanged(through)`
    // says that nothing came after, and is known up to `at` from then on.
    template <class Unchanged>
    std::optional<Validity> get(const Key& key, Lsn at, pg::Page out, const Unchanged& unchanged) {
        if (slots_per_shard_ == 0) return std::nullopt;
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        Slot* slot = find(shard, key);
        if (slot == nullptr || at < slot->validity.version) return std::nullopt;
        if (at > slot->validity.through) {
            if (!unchanged(slot->validity.through)) return std::nullopt;
            slot->validity.through = at;
        }
        copy_out(shard, *slot, out);
        return slot->validity;
    }

    // Copies the page to `out` if it is there as of a version below `lsn`; that version's LSN.
    std::optional<Lsn> get_below(const Key& key, Lsn lsn, pg::Page out);

    // Keeps the page, unless what is there is known further up.
    void put(const Key& key, const Validity& validity, pg::ConstPage page);

    std::uint64_t bytes() const { return pages_.load(std::memory_order_relaxed) * pg::kPageBytes; }

    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return hash_object(key.object) ^ (key.store << 32 | key.branch.value) * 0x9E3779B97F4A7C15ull;
        }
    };

private:
    struct Slot {
        Key key;
        Validity validity;
        bool used = false;  // since the hand passed
    };
    struct Shard {
        std::mutex mutex;
        boost::unordered_flat_map<Key, std::uint32_t, KeyHash> slot_of;
        std::vector<Slot> slots;
        std::unique_ptr<std::byte[]> pages;  // of all its slots
        std::size_t hand = 0;
    };
    static constexpr std::size_t kShards = 64;

    Shard& shard_of(const Key& key) { return shards_[KeyHash{}(key) >> 48 & (kShards - 1)]; }
    // Null: not there.
    static Slot* find(Shard& shard, const Key& key);
    static void copy_out(const Shard& shard, Slot& slot, pg::Page out);
    // A slot for a new key: a free one, or that of a page that was not used since the hand came by last.
    std::uint32_t take_slot(Shard& shard);

    std::size_t slots_per_shard_;
    std::vector<Shard> shards_;
    std::atomic<std::uint64_t> pages_ = 0;
};

}  // namespace bough::pageserver
