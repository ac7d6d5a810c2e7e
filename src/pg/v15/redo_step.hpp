// What the redo of one resource manager works on. Each in a file of its own; redo.cpp chooses.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "pg/item_page.hpp"
#include "pg/v15/record.hpp"

namespace bough::pg::v15 {

// One record and one of the pages it changes. Before one of the functions below is called, it has been seen that the page is
// not new unless the record initialises it, that the record comes after the page's LSN, that the page is sound (all but when it
// is to be initialised), and that no image of it is to be restored.
struct RedoStep {
    const Record& record;
    const BlockReference& block;  // that of the page
    ItemPage page;
    bool hint_bits_logged;

    std::uint32_t block_number() const { return block.tag.block; }
    // The fixed part of the main data; false when there is less.
    template <class T>
    bool take_main(T& to) const {
        const auto from = record.main_data();
        if (from.size() < sizeof(T)) return false;
        std::memcpy(&to, from.data(), sizeof(T));
        return true;
    }
    bool finish() const {
        set_page_lsn(page.bytes(), record.end());
        return true;
    }
};

// Each as redo(): true when the page is as Postgres's redo leaves it.
bool redo_heap(RedoStep step);
bool redo_heap2(RedoStep step);
bool redo_btree(RedoStep step);
// XLOG_HEAP2_VISIBLE on the page of the visibility map, which may still be new. No other step is for a page that may.
bool redo_visibility_map(RedoStep step);

}  // namespace bough::pg::v15
