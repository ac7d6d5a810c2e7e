#include "safekeeper/simulation/content.hpp"

#include <algorithm>

#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {

void Content::append(const Writer& writer, Lsn from, Lsn to) {
    if (from > end_) broken("WAL from " + from.to_string() + " on was appended to a log that ends at " + end_.to_string());
    for (const auto& stretch : stretches_)
        if (stretch.end > from && stretch.begin < to && stretch.writer != &writer)
            broken("bytes of term " + std::to_string(stretch.writer->term.value) + " at " + std::max(from, stretch.begin).to_string() +
                   " would be overwritten by those of term " + std::to_string(writer.term.value));
    if (to <= end_) return;
    if (!stretches_.empty() && stretches_.back().writer == &writer) {
        stretches_.back().end = end_ = to;
        return;
    }
    if (end_ != writer.start || record_end_below(end_) != end_)
        broken("WAL of term " + std::to_string(writer.term.value) + ", which began at " + writer.start.to_string() + ", does not connect to [" +
               to_string() + "], which ends at " + end_.to_string());
    stretches_.push_back({&writer, end_, to});
    end_ = to;
}

void Content::append(const Content& other, Lsn from, Lsn to) {
    if (from < other.start_) broken("WAL from " + from.to_string() + " on was taken from a log that begins at " + other.start_.to_string());
    for (const auto& stretch : other.stretches_)
        if (stretch.end > from && stretch.begin < to) append(*stretch.writer, std::max(from, stretch.begin), std::min(to, stretch.end));
}

void Content::cut(Lsn at) {
    if (dropped_ && at < start_) broken("a log that begins at " + start_.to_string() + " was cut at " + at.to_string());
    while (stretches_.size() > (dropped_ ? 1 : 0) && stretches_.back().begin >= at) stretches_.pop_back();
    if (!stretches_.empty()) stretches_.back().end = std::min(stretches_.back().end, at);
    end_ = std::min(end_, at);
}

void Content::drop_below(Lsn at) {
    if (at <= start_) return;
    if (at > end_ || record_end_below(at) != at) broken("WAL was dropped below " + at.to_string() + ", where no record of [" + to_string() + "] ends");
    auto kept = std::find_if(stretches_.begin(), std::prev(stretches_.end()), [&](const Stretch& stretch) { return stretch.end > at; });
    stretches_.erase(stretches_.begin(), kept);
    stretches_.front().begin = start_ = at;
    dropped_ = true;
}

Content Content::up_to(Lsn at) const {
    Content result = *this;
    result.cut(at);
    return result;
}

Lsn Content::record_end_below(Lsn at) const {
    for (auto stretch = stretches_.rbegin(); stretch != stretches_.rend(); ++stretch) {
        if (stretch->begin >= at) continue;
        const auto& ends = stretch->writer->record_ends;
        auto limit = std::min(at, stretch->end);
        auto above = std::upper_bound(ends.begin(), ends.end(), limit);
        return above == ends.begin() ? stretch->begin : *std::prev(above);
    }
    return start_;
}

bool Content::contains(const Writer& writer, Lsn end) const {
    return std::any_of(stretches_.begin(), stretches_.end(),
                       [&](const Stretch& stretch) { return stretch.writer == &writer && stretch.end >= end; });
}

bool Content::same_up_to(const Content& other, Lsn end) const {
    if (end > end_ || end > other.end_) return false;
    // Both are without gaps, so it suffices that no place has two writers.
    Lsn begin = std::max(start_, other.start_);
    for (const auto& mine : stretches_) {
        if (mine.end <= begin || mine.begin >= end) continue;
        for (const auto& its : other.stretches_)
            if (mine.writer != its.writer && std::max({mine.begin, its.begin, begin}) < std::min({mine.end, its.end, end})) return false;
    }
    return true;
}

std::string Content::to_string() const {
    std::string text;
    for (const auto& stretch : stretches_)
        text += (text.empty() ? "" : " ") + std::to_string(stretch.writer->term.value) + ":[" + stretch.begin.to_string() + "," +
                stretch.end.to_string() + ")";
    return text;
}

}  // namespace bough::safekeeper::simulation
