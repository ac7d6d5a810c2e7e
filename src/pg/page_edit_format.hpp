// The kinds of edits, as docs/formats/page_edits.md numbers them. A number is never given another meaning.
#pragma once

#include <cstdint>

namespace bough::pg {

// The first byte of an edit of a relation's page; little-endian fields follow, unaligned.
enum class PageEdit : std::uint8_t {
    visibility_set = 1,       // slot u16, bits u8
    visibility_clear = 2,     // slot u16, bits u8
    visibility_truncate = 3,  // slot u16
    free_space_truncate = 4,  // slot u16
};

// The first byte of an edit of an SLRU page.
enum class SlruEdit : std::uint8_t {
    xact_status = 16,        // status u8, count u16, count x entry u16
    multixact_offset = 17,   // entry u16, offset u32
    multixact_members = 18,  // first entry u16, count u16, count x (xid u32, status u8)
    commit_ts = 19,          // time i64, origin u16, count u16, count x entry u16
};

}  // namespace bough::pg
