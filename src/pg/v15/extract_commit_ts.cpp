#include <vector>

#include "pg/v15/commit_ts_changes.hpp"
#include "pg/v15/slru_changes.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kZeroPage = 0x00;
constexpr std::uint8_t kTruncate = 0x10;

struct Everything : ChangeSink::SegmentPredicate {
    bool operator()(std::uint32_t) const override { return true; }
};

Result<void> extract_truncate(Extraction& x) {
    ByteReader data = x.main_data();
    BOUGH_ASSIGN(const std::uint32_t cutoff, take_slru_page(x, Slru::commit_ts, data));
    const auto oldest = data.take<std::uint32_t>();
    if (data.failed()) return x.corrupt("too short for a truncation");
    if (x.counters.oldest_commit_ts_xid != 0 && xid_precedes(x.counters.oldest_commit_ts_xid, oldest))
        x.counters.oldest_commit_ts_xid = oldest;
    drop_slru_segments_before(x, Slru::commit_ts, cutoff);
    return {};
}

}  // namespace

Result<void> extract_commit_ts(Extraction& x) {
    switch (x.record.operation()) {
        case kZeroPage: return extract_slru_zero_page(x, Slru::commit_ts);
        case kTruncate: return extract_truncate(x);
    }
    return x.unknown_operation();
}

void activate_commit_ts(Extraction& x) {
    const auto next = static_cast<std::uint32_t>(x.counters.next_full_xid);
    if (x.counters.oldest_commit_ts_xid == 0) x.counters.oldest_commit_ts_xid = x.counters.newest_commit_ts_xid = next;
    // Postgres makes the page if it does not exist; while timestamps are off there are none.
    x.sink.slru_zero_page(Slru::commit_ts, next / kCommitTsPerPage);
}

void deactivate_commit_ts(Extraction& x) {
    x.counters.oldest_commit_ts_xid = x.counters.newest_commit_ts_xid = 0;
    x.sink.slru_drop_segments(Slru::commit_ts, Everything());
}

void set_commit_ts(Extraction& x, std::span<const std::uint32_t> xids, std::int64_t time, std::uint16_t origin) {
    if (!x.parameters.track_commit_timestamp) return;
    std::vector<std::uint16_t> entries;
    for_pages_of(Slru::commit_ts, xids, entries, [&](std::uint32_t page, std::span<const std::uint16_t> on_page) {
        x.buffer.clear();
        append_commit_ts(x.buffer, time, origin, on_page);
        x.sink.slru_edit(Slru::commit_ts, page, x.buffer);
    });
    if (xid_precedes(x.counters.newest_commit_ts_xid, xids.back())) x.counters.newest_commit_ts_xid = xids.back();
}

}  // namespace bough::pg::v15
