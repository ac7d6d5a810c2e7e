#include "pg/v15/slru_changes.hpp"

namespace bough::pg::v15 {
namespace {

struct PrecedesCutoff : ChangeSink::SegmentPredicate {
    PrecedesCutoff(Slru s, std::uint32_t page) : slru(s), cutoff(page) {}
    bool operator()(std::uint32_t segment) const override {
        const std::uint32_t first = segment * kSlruSegmentPages;
        return slru_page_precedes(slru, first, cutoff) && slru_page_precedes(slru, first + kSlruSegmentPages - 1, cutoff);
    }
    Slru slru;
    std::uint32_t cutoff;
};

}  // namespace

bool slru_page_precedes(Slru slru, std::uint32_t a, std::uint32_t b) {
    const std::uint32_t per_page = slru_entries_per_page(slru);
    const bool multi = slru == Slru::multixact_offsets;
    // An entry well inside each page, so that the special ids do not decide. Multiplication wraps as it does in Postgres.
    const std::uint32_t inside = (multi ? kFirstMultiXact : kFirstNormalXid) + 1;
    const std::uint32_t first_a = a * per_page + inside, first_b = b * per_page + inside;
    const auto precedes = multi ? multi_precedes : xid_precedes;
    return precedes(first_a, first_b) && precedes(first_a, first_b + per_page - 1);
}

void drop_slru_segments_before(Extraction& x, Slru slru, std::uint32_t cutoff_page) {
    x.sink.slru_drop_segments(slru, PrecedesCutoff(slru, cutoff_page));
}

Result<std::uint32_t> take_slru_page(Extraction& x, Slru slru, ByteReader& data) {
    const auto page = data.take<std::uint32_t>();
    if (data.failed() || page > slru_page_max(slru)) return x.corrupt("an impossible SLRU page");
    return page;
}

Result<void> extract_slru_zero_page(Extraction& x, Slru slru) {
    ByteReader data = x.main_data();
    BOUGH_ASSIGN(const std::uint32_t page, take_slru_page(x, slru, data));
    x.sink.slru_zero_page(slru, page);
    return {};
}

}  // namespace bough::pg::v15
