#include "pg/v15/slru_changes.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kZeroPage = 0x00;
constexpr std::uint8_t kTruncate = 0x10;

Result<void> extract_truncate(Extraction& x) {
    ByteReader data = x.main_data();
    BOUGH_ASSIGN(const std::uint32_t cutoff, take_slru_page(x, Slru::xact, data));
    const auto oldest_xid = data.take<std::uint32_t>();
    const auto oldest_database = data.take<std::uint32_t>();
    if (data.failed()) return x.corrupt("too short for a truncation");
    // Redo leaves these two to the next checkpoint. Whoever starts from here must not look at status that is gone.
    if (xid_precedes(x.counters.oldest_xid, oldest_xid)) {
        x.counters.oldest_xid = oldest_xid;
        x.counters.oldest_xid_database = oldest_database;
    }
    // Postgres's guard against wraparound: the page in use must not be among those to go.
    const auto newest = static_cast<std::uint32_t>(x.counters.next_full_xid) / kXactsPerPage;
    if (!slru_page_precedes(Slru::xact, newest, cutoff)) drop_slru_segments_before(x, Slru::xact, cutoff);
    return {};
}

}  // namespace

Result<void> extract_clog(Extraction& x) {
    switch (x.record.operation()) {
        case kZeroPage: return extract_slru_zero_page(x, Slru::xact);
        case kTruncate: return extract_truncate(x);
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
