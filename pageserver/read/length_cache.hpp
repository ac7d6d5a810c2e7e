// A cache of the lengths of forks: every page request asks for one.
#pragma once

#include <cstdint>
#include <optional>

#include "pageserver/read/keyed_table.hpp"

namespace bough::pageserver {

// As PageCache, but of lengths, and by the branch that is read, whichever ancestor has the version: a few bytes may be kept many times.
// Thread-safe.
class LengthCache {
public:
    using Length = std::optional<std::uint32_t>;  // blocks; nullopt: there is no such fork

    template <class Unchanged>
    std::optional<Length> get(const PageCache::Key& key, Lsn at, const Unchanged& unchanged) {
        return entries_.look(key, [&](Entry* entry) -> std::optional<Length> {
            if (entry == nullptr || at < entry->from) return std::nullopt;
            if (at > entry->through) {
                if (!unchanged(entry->through)) return std::nullopt;
                entry->through = at;
            }
            return entry->length;
        });
    }

    // The length was the same at all LSNs of [from, through].
    void put(const PageCache::Key& key, Lsn from, Lsn through, Length length) {
        entries_.change(key, [&](Entry& entry) {
            if (entry.through <= through) entry = {from, through, length};
        });
    }

private:
    struct Entry {
        Lsn from;
        Lsn through;
        Length length;
    };
    KeyedTable<Entry> entries_;
};

}  // namespace bough::pageserver
