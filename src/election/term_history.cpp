#include "election/term_history.hpp"

#include <algorithm>

#include "bough/check.hpp"

namespace bough::election {

Result<TermHistory> TermHistory::make(std::vector<TermBegin> entries) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        bool in_order = i == 0 ? entries[0].term > Term{0}
                               : entries[i].term > entries[i - 1].term && entries[i].begin >= entries[i - 1].begin;
        if (!in_order)
            return Error{ErrorCode::invalid_argument,
                         "term history is out of order at term " + std::to_string(entries[i].term.value), {}};
    }
    TermHistory history;
    history.entries_ = std::move(entries);
    return history;
}

TermBegin TermHistory::last() const { return entries_.empty() ? TermBegin{} : entries_.back(); }

TermBegin TermHistory::last_at(Lsn end) const {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
        if (entry->begin <= end) return *entry;
    return {};
}

TermHistory TermHistory::up_to(Lsn end) const {
    TermHistory result;
    for (const auto& entry : entries_)
        if (entry.begin <= end) result.entries_.push_back(entry);
    return result;
}

void TermHistory::append(TermBegin entry) {
    BOUGH_CHECK(entry.term > last().term);
    BOUGH_CHECK(entry.begin >= last().begin);
    entries_.push_back(entry);
}

void TermHistory::forget_below(Lsn committed, Term counted, std::size_t keep) {
    while (entries_.size() > keep && entries_.size() > 1 && entries_[0].term < counted && entries_[1].begin <= committed)
        entries_.erase(entries_.begin());
}

std::string TermHistory::to_string() const {
    std::string text;
    for (const auto& entry : entries_) {
        if (!text.empty()) text += ' ';
        text += std::to_string(entry.term.value) + '@' + entry.begin.to_string();
    }
    return text;
}

std::optional<Lsn> first_contradiction(const TermHistory& mine, const TermHistory& theirs, Lsn end) {
    if (mine.empty() || theirs.empty()) return std::nullopt;
    // Who wrote what stands before the oldest entry has been forgotten.
    Lsn at = std::max(mine.entries().front().begin, theirs.entries().front().begin);
    while (at < end) {
        if (mine.last_at(at).term != theirs.last_at(at).term) return at;
        Lsn next = end;
        for (const auto* history : {&mine, &theirs})
            for (const auto& entry : history->entries())
                if (entry.begin > at) next = std::min(next, entry.begin);
        at = next;
    }
    return std::nullopt;
}

Result<Lsn> common_end(const TermHistory& mine, Lsn mine_end, const TermHistory& theirs, Lsn shared) {
    Lsn common = shared;
    const auto log = mine.up_to(mine_end);
    for (std::size_t i = 0; i < log.entries().size(); ++i) {
        const auto& entry = log.entries()[i];
        auto found = std::find_if(theirs.entries().begin(), theirs.entries().end(),
                                  [&](const TermBegin& other) { return other.term == entry.term; });
        if (found == theirs.entries().end()) continue;
        if (found->begin != entry.begin)
            return Error{ErrorCode::failed_precondition,
                         "term " + std::to_string(entry.term.value) + " began at " + entry.begin.to_string() + " here and at " +
                             found->begin.to_string() + " elsewhere",
                         {}};
        Lsn end = i + 1 < log.entries().size() ? log.entries()[i + 1].begin : mine_end;
        if (auto next = std::next(found); next != theirs.entries().end()) end = std::min(end, next->begin);
        common = std::max(common, end);
    }
    return common;
}

}  // namespace bough::election
