// Private to this folder: pages of one fork, looked for in the files one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <rocksdb/iterator.h>

#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

class StoreLayers;

// Going on from one page's versions to the next page's costs a fraction of a seek, which looks into every file's filter and index.
// A seek pays where pages are apart, so this serves only those who say that they ask for neighbours, or have done so before.
// For one thread at a time.
class FileSweep {
public:
    FileSweep() = default;
    FileSweep(const FileSweep&) = delete;  // the iterator's bound lies in here
    FileSweep& operator=(const FileSweep&) = delete;

    bool is_in_fork_of(BranchNumber branch, const ObjectKey& object) const;
    // Of pages that come next, neighbours are asked for from the first one on.
    void expect(bool expected) { expected_ = expected; }
    // Tells of the next page that is looked for in the files, and whether go_to() is the way to it.
    bool follows(BranchNumber branch, const ObjectKey& object);
    // To the first key at or above that of the page, whatever its object. nullptr: something was in the way that may be none of the
    // page's business, and a seek is to tell. The iterator is valid or at the end, and may be moved towards older versions of the page.
    rocksdb::Iterator* go_to(const StoreLayers& store, bool fills_block_cache, const VersionKeyBytes& target);
    void forget();

private:
    bool expected_ = false;
    BranchNumber branch_;
    ObjectKey last_;           // looked for
    unsigned neighbours_ = 0;  // how many in turn, up to last_
    VersionKeyBytes end_;      // of the fork; the iterator's bound, so it is not before it
    rocksdb::Slice bound_;
    std::unique_ptr<rocksdb::Iterator> iterator_;  // no key lies between what go_to() last looked for and where it stands
};

// The sweeps of one reader: a page's versions may lie in several branches, so that he is in each of them in turn.
class FileSweeps {
public:
    void expect(bool expected);
    // The sweep that is the way to the object; nullptr: a seek is.
    FileSweep* following(BranchNumber branch, const ObjectKey& object);
    // Files have come or gone: what was read before is of no use.
    void forget();

private:
    struct Used {
        FileSweep sweep;
        std::uint64_t last = 0;  // by clock_
    };
    std::array<Used, 4> sweeps_;
    std::uint64_t clock_ = 0;
};

}  // namespace bough::pageserver
