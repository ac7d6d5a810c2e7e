// A branch as the WAL service sees it.
#pragma once

#include <memory>
#include <optional>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/segment/record_search.hpp"
#include "safekeeper/segment/wal_place.hpp"
#include "safekeeper/serve/new_wal_signal.hpp"

namespace bough::safekeeper::serve {

// What a reader asks for beside the branch.
struct ReadOptions {
    bool uncommitted = false;  // all that is whole, not only what is committed: for a peer that catches up
    // Only while this term is the newest promised; and, with `begun`, has begun here. Nothing: whatever the term.
    std::optional<Term> term;
    bool begun = false;
};

// Thread-safe; outlives its readers.
class WalSource {
public:
    virtual ~WalSource() = default;

    virtual const segment::WalPlace& place() const = 0;
    // The beginning of the first segment, made ready to be read. Rises when segments are dropped.
    virtual Result<Lsn> first_lsn() = 0;
    // The record boundary in that segment from which on the log is kept.
    virtual segment::RecordBoundary log_begin() const = 0;
    // What may be read: all below it. Never falls, except for uncommitted readers when term_generation() changes.
    virtual Lsn readable_end(bool uncommitted) const = 0;
    // Changes before the log may be cut: what an uncommitted reader has read since is worth nothing.
    virtual std::uint64_t term_generation() const = 0;
    // Changes when the log begins anew: the files that a reader has open are of a log that has ended before what may be read now.
    virtual std::uint64_t log_number() const = 0;
    // failed_precondition when the branch's term is not as asked; unavailable when the branch goes away.
    virtual Result<void> check_term(const ReadOptions& options) const = 0;

    // `signal` is notified whenever readable_end() or term_generation() changes, until removed.
    virtual void add_reader(NewWalSignal& signal) = 0;
    virtual void remove_reader(NewWalSignal& signal) = 0;
};

// Finds branches by name. Thread-safe.
class WalCatalog {
public:
    virtual ~WalCatalog() = default;
    // Shared, so that a branch that is deleted stays until its last reader has gone.
    virtual Result<std::shared_ptr<WalSource>> find(const ProjectId& project, const BranchId& branch) = 0;
};

}  // namespace bough::safekeeper::serve
