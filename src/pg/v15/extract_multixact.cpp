#include <algorithm>
#include <vector>

#include "pg/v15/slru_changes.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kZeroOffsetsPage = 0x00;
constexpr std::uint8_t kZeroMembersPage = 0x10;
constexpr std::uint8_t kCreate = 0x20;
constexpr std::uint8_t kTruncate = 0x30;

// Minor versions before 15.16 or so initialise an offsets page only with the first multixact on it, but the multixact before
// that one already has its end there. So, as Postgres's redo does: when the end goes to a page that no record initialised yet,
// it is initialised here, and the record that does it afterwards is passed over.
void set_offset_of_next(Extraction& x, std::uint32_t multi, std::uint32_t next, std::uint32_t offset) {
    const std::uint32_t page = multi / kMultiOffsetsPerPage, next_page = next / kMultiOffsetsPerPage;
    MultiXactPages& pages = x.multixact_pages;
    if (next_page != page && pages.last_initialized_offsets == page) {
        x.sink.slru_zero_page(Slru::multixact_offsets, next_page);
        pages.initialized_ahead = pages.last_initialized_offsets = next_page;
    }
    x.buffer.clear();
    append_multixact_offset(x.buffer, static_cast<std::uint16_t>(next % kMultiOffsetsPerPage), offset);
    x.sink.slru_edit(Slru::multixact_offsets, next_page, x.buffer);
}

Result<void> extract_zero_offsets_page(Extraction& x) {
    ByteReader data = x.main_data();
    BOUGH_ASSIGN(const std::uint32_t page, take_slru_page(x, Slru::multixact_offsets, data));
    if (x.multixact_pages.initialized_ahead != page) {
        x.sink.slru_zero_page(Slru::multixact_offsets, page);
        x.multixact_pages.last_initialized_offsets = page;
    }
    x.multixact_pages.initialized_ahead.reset();
    return {};
}

Result<void> extract_create(Extraction& x) {
    ByteReader data = x.main_data();
    const auto multi = data.take<std::uint32_t>();
    const auto offset = data.take<std::uint32_t>();
    const auto count = data.take<std::int32_t>();
    if (data.failed() || count < 0 || static_cast<std::uint64_t>(count) * sizeof(MultiXactMember) > data.left())
        return x.corrupt("too short for a multixact");
    x.multixact_pages.initialized_ahead.reset();

    x.buffer.clear();
    append_multixact_offset(x.buffer, static_cast<std::uint16_t>(multi % kMultiOffsetsPerPage), offset);
    x.sink.slru_edit(Slru::multixact_offsets, multi / kMultiOffsetsPerPage, x.buffer);
    // The next multixact begins where this one ends; offset 0 is never one's begin.
    const std::uint32_t next = multi + 1 < kFirstMultiXact ? kFirstMultiXact : multi + 1;
    const std::uint32_t next_offset = offset + static_cast<std::uint32_t>(count);
    set_offset_of_next(x, multi, next, next_offset == 0 ? 1 : next_offset);

    std::vector<MultiXactMember> members;
    std::uint32_t newest = x.record.xid();
    for (std::uint32_t at = offset, left = static_cast<std::uint32_t>(count); left > 0;) {
        const std::uint32_t page = at / kMembersPerPage, first = at % kMembersPerPage;
        // The last page is cut where the offsets wrap around.
        const std::uint32_t room = std::min<std::uint64_t>(kMembersPerPage - first, (std::uint64_t{1} << 32) - at);
        members.clear();
        for (std::uint32_t n = std::min(left, room); n > 0; --n) {
            members.push_back({data.take<std::uint32_t>(), data.take<std::uint32_t>()});
            if (xid_precedes(newest, members.back().xid)) newest = members.back().xid;
        }
        x.buffer.clear();
        append_multixact_members(x.buffer, static_cast<std::uint16_t>(first), members);
        x.sink.slru_edit(Slru::multixact_members, page, x.buffer);
        at += static_cast<std::uint32_t>(members.size());
        left -= static_cast<std::uint32_t>(members.size());
    }

    if (multi_precedes(x.counters.next_multi, multi + 1)) x.counters.next_multi = multi + 1;
    if (multi_precedes(x.counters.next_multi_offset, next_offset)) x.counters.next_multi_offset = next_offset;
    x.see_xid(newest);
    return {};
}

// Segments from that of the first member to go up to, not including, that of the first to stay; around the end of the numbers
// if need be. A segment that begins the range may be whole in use by its end, as Postgres too sees it.
struct MembersBetween : ChangeSink::SegmentPredicate {
    MembersBetween(std::uint32_t begin, std::uint32_t end) : first(segment_of(begin)), last(segment_of(end)) {}
    static std::uint32_t segment_of(std::uint32_t member) { return member / kMembersPerPage / kSlruSegmentPages; }
    bool operator()(std::uint32_t segment) const override {
        return first <= last ? segment >= first && segment < last : segment >= first || segment < last;
    }
    std::uint32_t first;
    std::uint32_t last;
};

Result<void> extract_truncate(Extraction& x) {
    ByteReader data = x.main_data();
    const auto database = data.take<std::uint32_t>();
    data.skip(sizeof(std::uint32_t));  // the first multixact to go: what is before it went already
    const auto oldest = data.take<std::uint32_t>();
    const auto members_begin = data.take<std::uint32_t>();
    const auto members_end = data.take<std::uint32_t>();
    if (data.failed()) return x.corrupt("too short for a truncation");
    x.counters.oldest_multi = oldest;
    x.counters.oldest_multi_database = database;
    x.sink.slru_drop_segments(Slru::multixact_members, MembersBetween(members_begin, members_end));

    // One back, lest the cutoff be a page not made yet.
    const std::uint32_t cutoff = (oldest == kFirstMultiXact ? kMaxMultiXact : oldest - 1) / kMultiOffsetsPerPage;
    const std::uint32_t newest = x.counters.next_multi / kMultiOffsetsPerPage;
    if (!slru_page_precedes(Slru::multixact_offsets, newest, cutoff))
        drop_slru_segments_before(x, Slru::multixact_offsets, cutoff);
    return {};
}

}  // namespace

Result<void> extract_multixact(Extraction& x) {
    switch (x.record.operation()) {
        case kZeroOffsetsPage: return extract_zero_offsets_page(x);
        case kZeroMembersPage: return extract_slru_zero_page(x, Slru::multixact_members);
        case kCreate: return extract_create(x);
        case kTruncate: return extract_truncate(x);
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
