// Who wrote which stretch of a branch's log: term after term, each from where it began. Two logs are the same up to where their
// histories part.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::election {

// The WAL from `begin` on was written in `term`, up to where the next entry begins.
struct TermBegin {
    Term term;
    Lsn begin;
    bool operator==(const TermBegin&) const = default;
};

// Terms rise strictly, begins do not fall: kept by make() and append(). A term that wrote nothing begins where its successor does.
class TermHistory {
public:
    TermHistory() = default;
    // invalid_argument when the order is broken or a term is 0.
    static Result<TermHistory> make(std::vector<TermBegin> entries);

    const std::vector<TermBegin>& entries() const { return entries_; }
    bool empty() const { return entries_.empty(); }
    // Term 0 and LSN 0/0 when empty.
    TermBegin last() const;
    // The newest entry that begins at or before `end`: a log that ends there is of its term. Term 0 if there is none.
    TermBegin last_at(Lsn end) const;

    // The entries that begin at or before `end`: the history of a log that ends there.
    TermHistory up_to(Lsn end) const;

    // Adds the entry; REQUIRES a higher term and a begin not before the last.
    void append(TermBegin entry);

    // Forgets entries of terms below `counted` that say nothing about the log above `committed`, but for the newest `keep` ones.
    void forget_below(Lsn committed, Term counted, std::size_t keep);

    // "1@0/10 3@0/20"
    std::string to_string() const;
    bool operator==(const TermHistory&) const = default;

private:
    std::vector<TermBegin> entries_;
};

// The first byte below `end` that the two histories ascribe to different terms; nothing when they agree on all that both still know.
std::optional<Lsn> first_contradiction(const TermHistory& mine, const TermHistory& theirs, Lsn end);

// Up to where a log with the history `mine` that ends at `mine_end` is the same as one with the history `theirs`; at least
// `shared`, below which all logs of the branch are the same. failed_precondition when the histories give one term two begins.
Result<Lsn> common_end(const TermHistory& mine, Lsn mine_end, const TermHistory& theirs, Lsn shared);

}  // namespace bough::election
