// Edits: changes of pages that no redo function makes page by page. docs/formats/page_edits.md is the specification.
//
// An edit is a short byte string. Edits of one page may be concatenated; they apply in order. The append_* functions add one
// to `edits`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"
#include "pg/slru_layout.hpp"

namespace bough::pg {

// --- pages of the visibility map. Slots as visibility_slot() gives them; `bits` of kVisibilityBits, at least one.
void append_visibility_set(std::string& edits, std::uint16_t slot, std::uint8_t bits);  // bits are added to those there
void append_visibility_clear(std::string& edits, std::uint16_t slot, std::uint8_t bits);
void append_visibility_truncate(std::string& edits, std::uint16_t slot);  // clears it and all after it
// --- pages of the free space map: clears the slot and all after it, and mends the tree above.
void append_free_space_truncate(std::string& edits, std::uint16_t slot);

// Applies edits to a page of a map fork. `lsn` is the end of the record they are from: some set it as the page's LSN, as redo
// does. ErrorCode::corrupt when the bytes are not edits of such pages; the page is then unspecified.
Result<void> apply_page_edits(Page page, std::string_view edits, Lsn lsn);

// --- pages of SLRUs. Entries count from the page's start: 0 .. slru_entries_per_page() - 1.
void append_xact_status(std::string& edits, XactStatus status, std::span<const std::uint16_t> entries);
void append_multixact_offset(std::string& edits, std::uint16_t entry, std::uint32_t offset);
struct MultiXactMember {
    std::uint32_t xid = 0;
    std::uint32_t status = 0;  // Postgres's MultiXactStatus, 0 .. 5
};
void append_multixact_members(std::string& edits, std::uint16_t first_entry, std::span<const MultiXactMember> members);
void append_commit_ts(std::string& edits, std::int64_t time, std::uint16_t origin, std::span<const std::uint16_t> entries);

// Applies edits to a page of `slru`. Errors as of apply_page_edits().
Result<void> apply_slru_edits(Page page, Slru slru, std::string_view edits);

}  // namespace bough::pg
