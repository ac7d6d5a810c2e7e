#include "pg/page_edit.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/free_space_map.hpp"
#include "pg/page_edit_format.hpp"
#include "pg/page_header.hpp"
#include "pg/visibility_map.hpp"

namespace bough::pg {
namespace {

struct MapBits {
    std::size_t byte;
    unsigned shift;
};

MapBits locate(std::uint16_t slot) {
    return {kPageContentsOffset + slot / kHeapBlocksPerMapByte, (slot % kHeapBlocksPerMapByte) * 2};
}

void set_visibility(Page page, std::uint16_t slot, std::uint8_t bits, Lsn lsn) {
    if (page_is_new(page)) init_page(page);
    const auto [byte, shift] = locate(slot);
    const auto present = static_cast<std::uint8_t>(static_cast<std::uint8_t>(page[byte]) >> shift & kVisibilityBits);
    if (present == bits) return;
    page[byte] |= static_cast<std::byte>(bits << shift);
    set_page_lsn(page, lsn);
}

// On a page never initialised there is nothing to clear, and redo would not write it.
void clear_visibility(Page page, std::uint16_t slot, std::uint8_t bits) {
    const auto [byte, shift] = locate(slot);
    page[byte] &= ~static_cast<std::byte>(bits << shift);
}

void truncate_visibility(Page page, std::uint16_t slot) {
    if (page_is_new(page)) init_page(page);
    const auto [byte, shift] = locate(slot);
    page[byte] &= static_cast<std::byte>((1u << shift) - 1);
    std::fill(page.begin() + static_cast<std::ptrdiff_t>(byte) + 1, page.end(), std::byte{0});
}

void truncate_free_space(Page page, std::uint16_t slot) {
    if (page_is_new(page)) init_page(page);
    const auto nodes = std::span<std::byte>(page).subspan(kPageBytes - kFreeSpaceNodes);
    const auto removed = nodes.subspan(kFreeSpaceInnerNodes + slot);
    if (std::ranges::all_of(removed, [](std::byte b) { return b == std::byte{0}; })) return;
    std::ranges::fill(removed, std::byte{0});
    // Every inner node is the larger of its children, of which the lowest may lack one or both.
    for (std::size_t node = kFreeSpaceInnerNodes; node-- > 0;) {
        const std::size_t left = 2 * node + 1, right = left + 1;
        const auto value = [&](std::size_t child) { return child < nodes.size() ? nodes[child] : std::byte{0}; };
        nodes[node] = std::max(value(left), value(right));
    }
}

void append_edit(std::string& edits, PageEdit kind) { append(edits, static_cast<std::uint8_t>(kind)); }

Error corrupt(std::string_view what) { return Error{ErrorCode::corrupt, fmt::format("page edit: {}", what), {}}; }

Result<void> apply_visibility_bits(Page page, PageEdit kind, ByteReader& reader, Lsn lsn) {
    const auto slot = reader.take<std::uint16_t>();
    const auto bits = reader.take<std::uint8_t>();
    if (reader.failed() || slot >= kHeapBlocksPerMapPage || bits == 0 || (bits & ~kVisibilityBits) != 0)
        return corrupt("invalid visibility map bits");
    if (kind == PageEdit::visibility_set)
        set_visibility(page, slot, bits, lsn);
    else
        clear_visibility(page, slot, bits);
    return {};
}

Result<void> apply_truncate(Page page, PageEdit kind, ByteReader& reader) {
    const auto slot = reader.take<std::uint16_t>();
    const auto slots = kind == PageEdit::visibility_truncate ? kHeapBlocksPerMapPage : kFreeSpaceSlots;
    if (reader.failed() || slot >= slots) return corrupt("invalid map truncation");
    if (kind == PageEdit::visibility_truncate)
        truncate_visibility(page, slot);
    else
        truncate_free_space(page, slot);
    return {};
}

}  // namespace

void append_visibility_set(std::string& edits, std::uint16_t slot, std::uint8_t bits) {
    BOUGH_CHECK(slot < kHeapBlocksPerMapPage && bits != 0 && (bits & ~kVisibilityBits) == 0);
    append_edit(edits, PageEdit::visibility_set);
    append(edits, slot);
    append(edits, bits);
}

void append_visibility_clear(std::string& edits, std::uint16_t slot, std::uint8_t bits) {
    BOUGH_CHECK(slot < kHeapBlocksPerMapPage && bits != 0 && (bits & ~kVisibilityBits) == 0);
    append_edit(edits, PageEdit::visibility_clear);
    append(edits, slot);
    append(edits, bits);
}

void append_visibility_truncate(std::string& edits, std::uint16_t slot) {
    BOUGH_CHECK(slot < kHeapBlocksPerMapPage);
    append_edit(edits, PageEdit::visibility_truncate);
    append(edits, slot);
}

void append_free_space_truncate(std::string& edits, std::uint16_t slot) {
    BOUGH_CHECK(slot < kFreeSpaceSlots);
    append_edit(edits, PageEdit::free_space_truncate);
    append(edits, slot);
}

Result<void> apply_page_edits(Page page, std::string_view edits, Lsn lsn) {
    ByteReader reader(as_bytes(edits));
    while (reader.left() > 0) {
        const auto kind = static_cast<PageEdit>(reader.take<std::uint8_t>());
        switch (kind) {
            case PageEdit::visibility_set:
            case PageEdit::visibility_clear: BOUGH_TRY(apply_visibility_bits(page, kind, reader, lsn)); break;
            case PageEdit::visibility_truncate:
            case PageEdit::free_space_truncate: BOUGH_TRY(apply_truncate(page, kind, reader)); break;
            default: return corrupt(fmt::format("unknown kind {}", static_cast<unsigned>(kind)));
        }
    }
    return {};
}

}  // namespace bough::pg
