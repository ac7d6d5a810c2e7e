// Changes of heap tuples that several records have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "pg/bytes.hpp"
#include "pg/item_page.hpp"
#include "pg/v15/heap_format.hpp"

namespace bough::pg::v15 {

// The header of a tuple on a page: read, changed, and written back.
class HeapTuple {
public:
    // Nothing if the page has no normal item of this number that is long enough.
    static std::optional<HeapTuple> find(const ItemPage& page, std::size_t item);

    HeapTupleHeader header;
    std::span<std::byte> bytes;  // all of the tuple, on the page

    void write() { store(bytes.data(), header); }

    void set_next(std::uint32_t block, std::uint16_t item) {
        header.next_block_high = static_cast<std::uint16_t>(block >> 16);
        header.next_block_low = static_cast<std::uint16_t>(block);
        header.next_item = item;
    }
    // Forgets what is known of xmax, and takes it from a record's infobits_set.
    void set_xmax(std::uint32_t xmax, std::uint8_t infobits);
    // The first command of its transaction is what recovery puts down for any.
    void clear_command() {
        header.command = 0;
        header.infomask = static_cast<std::uint16_t>(header.infomask & ~kComboCommand);
    }
    void set_hot_updated(bool on) {
        header.infomask2 = static_cast<std::uint16_t>(on ? header.infomask2 | kHotUpdated : header.infomask2 & ~kHotUpdated);
    }
    bool is_only_locked() const {
        return (header.infomask & kXmaxLockOnly) != 0 || (header.infomask & (kXmaxIsMulti | kLockMask)) == kXmaxExclusiveLock;
    }
};

// The header of a tuple that `xid` has just inserted at (block, item).
HeapTupleHeader new_tuple(const HeapTupleStart& start, std::uint32_t xid, std::uint32_t block, std::uint16_t item);

// A tuple of header and `data`, at a line pointer that is free.
bool add_tuple(ItemPage page, const HeapTupleHeader& header, std::span<const std::byte> data, std::size_t item);
// Room for a tuple, or nullptr.
std::byte* add_tuple_space(ItemPage page, std::size_t bytes, std::size_t item);

// PageSetPrunable: `xid` has left something to prune.
void set_prunable(ItemPage page, std::uint32_t xid);

}  // namespace bough::pg::v15
