// The header of a page of a relation, as far as Bough touches it. The same in Postgres 15 to 18.
#pragma once

#include <cstdint>

#include "bough/lsn.hpp"
#include "pg/bytes.hpp"
#include "pg/page_tag.hpp"

namespace bough::pg {

// PageHeaderData, without the line pointers.
struct PageHeader {
    std::uint32_t lsn_high;  // PageXLogRecPtr: two halves, high one first
    std::uint32_t lsn_low;
    std::uint16_t checksum;
    std::uint16_t flags;
    std::uint16_t lower;
    std::uint16_t upper;
    std::uint16_t special;
    std::uint16_t page_size_version;
    std::uint32_t prune_xid;
};
static_assert(sizeof(PageHeader) == 24);

inline constexpr std::uint16_t kPageLayoutVersion = 4;

// PageHeader::flags.
inline constexpr std::uint16_t kPageHasFreeLines = 0x0001;
inline constexpr std::uint16_t kPageFull = 0x0002;
inline constexpr std::uint16_t kPageAllVisible = 0x0004;
inline constexpr std::size_t kPageContentsOffset = 24;  // PageGetContents: MAXALIGN of the header

inline Lsn page_lsn(ConstPage page) {
    return Lsn{std::uint64_t{load<std::uint32_t>(page.data())} << 32 | load<std::uint32_t>(page.data() + 4)};
}

inline void set_page_lsn(Page page, Lsn lsn) {
    store(page.data(), static_cast<std::uint32_t>(lsn.value >> 32));
    store(page.data() + 4, static_cast<std::uint32_t>(lsn.value));
}

// Postgres's PageIsNew: never initialised.
inline bool page_is_new(ConstPage page) { return load<std::uint16_t>(page.data() + offsetof(PageHeader, upper)) == 0; }

// Postgres's PageInit: an empty page with `special_bytes` (a multiple of eight) of zeros at its end, zeros elsewhere.
void init_page(Page page, std::size_t special_bytes = 0);

}  // namespace bough::pg
