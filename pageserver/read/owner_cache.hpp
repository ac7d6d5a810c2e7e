// From which ancestor a branch has an object, where that is far: a chain of branches is searched once.
#pragma once

#include <optional>

#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/read/keyed_table.hpp"

namespace bough::pageserver {

// Of a branch that has no version of its own as of the LSN that is read. What it inherits never changes: its ancestors have ingested up to
// where it begins, and keep what it needs. So an entry is right as long as its key is that of a branch, which keeps its ancestors alive.
// Thread-safe.
class OwnerCache {
public:
    struct Owner {
        const Branch* branch = nullptr;  // has the newest version at or below `bound`
        Lsn bound;
    };

    // `key` of the branch that is read.
    std::optional<Owner> get(const PageCache::Key& key) {
        return owners_.look(key, [](const Owner* owner) { return owner == nullptr ? std::nullopt : std::optional{*owner}; });
    }
    void put(const PageCache::Key& key, const Owner& owner) {
        owners_.change(key, [&](Owner& entry) { entry = owner; });
    }

private:
    KeyedTable<Owner> owners_;
};

}  // namespace bough::pageserver
