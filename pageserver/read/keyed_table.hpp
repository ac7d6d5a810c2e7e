// Small things that are remembered of (store, branch, object), up to a number.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "pageserver/read/page_cache.hpp"

namespace bough::pageserver {

// Thread-safe: divided into shards, each with a lock that is held for a look. A shard that is full forgets everything.
template <class Value>
class KeyedTable {
public:
    static constexpr std::size_t kEntriesMax = 131'072;  // some 20 MB

    // `seen(Value*)`, with nullptr when there is none; gives what that gives.
    template <class Seen>
    auto look(const PageCache::Key& key, const Seen& seen) {
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.values.find(key);
        return seen(found == shard.values.end() ? nullptr : &found->second);
    }

    // `change(Value&)` of what there is, or of a new one.
    template <class Change>
    void change(const PageCache::Key& key, const Change& change) {
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        if (shard.values.size() >= kEntriesMax / kShards) shard.values.clear();
        change(shard.values[key]);
    }

private:
    struct Shard {
        std::mutex mutex;
        boost::unordered_flat_map<PageCache::Key, Value, PageCache::KeyHash> values;
    };
    static constexpr std::size_t kShards = 64;

    Shard& shard_of(const PageCache::Key& key) { return shards_[PageCache::KeyHash{}(key) >> 48 & (kShards - 1)]; }

    std::vector<Shard> shards_{kShards};
};

}  // namespace bough::pageserver
