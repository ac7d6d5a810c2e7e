// Changes of SLRU pages that several resource managers make.
#pragma once

#include <cstdint>
#include <span>

#include "pg/page_edit.hpp"
#include "pg/slru_layout.hpp"
#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {

// Calls edit(page, entries) for the ids, split where the page changes or `entries_max` are reached.
template <class Edit>
void for_pages_of(Slru slru, std::span<const std::uint32_t> ids, std::vector<std::uint16_t>& entries, Edit edit) {
    constexpr std::size_t kEntriesMax = 512;
    const std::uint32_t per_page = slru_entries_per_page(slru);
    for (std::size_t i = 0; i < ids.size();) {
        const std::uint32_t page = ids[i] / per_page;
        entries.clear();
        for (; i < ids.size() && ids[i] / per_page == page && entries.size() < kEntriesMax; ++i)
            entries.push_back(static_cast<std::uint16_t>(ids[i] % per_page));
        edit(page, std::span<const std::uint16_t>(entries));
    }
}

// A record whose main data is the number of a page to begin with zeros.
Result<void> extract_slru_zero_page(Extraction& x, Slru slru);
// The page number at the front of `data`, if there can be such a page.
Result<std::uint32_t> take_slru_page(Extraction& x, Slru slru, ByteReader& data);

// Drops the segments of which every page precedes `cutoff_page` in the SLRU's circular order, as SimpleLruTruncate() does.
void drop_slru_segments_before(Extraction& x, Slru slru, std::uint32_t cutoff_page);
// Whether page a's entries precede page b's in that order.
bool slru_page_precedes(Slru slru, std::uint32_t a, std::uint32_t b);

}  // namespace bough::pg::v15
