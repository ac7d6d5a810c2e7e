// A cache of the lengths of forks: every page request asks for one.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "pageserver/read/page_cache.hpp"

namespace bough::pageserver {

// As PageCache, but of lengths, and by the branch that is read, whichever ancestor has the version: a few bytes may be kept many times.
// Thread-safe: divided into shards, each with a lock that is held for a look-up.
class LengthCache {
public:
    using Length = std::optional<std::uint32_t>;  // blocks; nullopt: there is no such fork

    template <class Unchanged>
    std::optional<Length> get(const PageCache::Key& key, Lsn at, const Unchanged& unchanged) {
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.entries.find(key);
        if (found == shard.entries.end() || at < found->second.from) return std::nullopt;
        if (at > found->second.through) {
            if (!unchanged(found->second.through)) return std::nullopt;
            found->second.through = at;
        }
        return found->second.length;
    }

    // The length was the same at all LSNs of [from, through].
    void put(const PageCache::Key& key, Lsn from, Lsn through, Length length) {
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        if (shard.entries.size() >= kEntriesPerShard) shard.entries.clear();
        Entry& entry = shard.entries[key];
        if (entry.through <= through) entry = {from, through, length};
    }

private:
    struct Entry {
        Lsn from;
        Lsn through;
        Length length;
    };
    struct Shard {
        std::mutex mutex;
        std::unordered_map<PageCache::Key, Entry, PageCache::KeyHash> entries;
    };
    static constexpr std::size_t kShards = 64;
    static constexpr std::size_t kEntriesPerShard = 2048;  // some 20 MB in all at most

    Shard& shard_of(const PageCache::Key& key) { return shards_[PageCache::KeyHash{}(key) >> 48 & (kShards - 1)]; }

    std::vector<Shard> shards_{kShards};
};

}  // namespace bough::pageserver
