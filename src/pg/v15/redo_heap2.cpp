// Redo of the resource manager Heap2: many tuples at once, line pointers, visibility.
#include <algorithm>

#include "pg/v15/heap_format.hpp"
#include "pg/v15/heap_tuple.hpp"
#include "pg/v15/record_format.hpp"
#include "pg/v15/redo_step.hpp"
#include "pg/visibility_map.hpp"

namespace bough::pg::v15 {
namespace {

// Item numbers out of a record, which may lie at odd places.
class ItemNumbers {
public:
    explicit ItemNumbers(std::span<const std::byte> bytes) : bytes_(bytes) {}
    std::size_t size() const { return bytes_.size() / sizeof(ItemNumber); }
    ItemNumber operator[](std::size_t i) const { return load<ItemNumber>(bytes_.data() + i * sizeof(ItemNumber)); }

private:
    std::span<const std::byte> bytes_;
};

bool redo_multi_insert(RedoStep& step) {
    HeapMultiInsert main;
    const bool init = (step.record.info() & kHeapInitPage) != 0;
    if (!step.take_main(main) || step.block.id != 0 || init != step.block.will_init) return false;
    const ItemNumbers items(step.record.main_data().subspan(sizeof(main)));
    if (!init && items.size() < main.tuples) return false;
    if (init) init_page(step.page.bytes());

    const auto data = step.block.data;
    std::size_t at = 0;
    for (std::size_t i = 0; i < main.tuples; i++) {
        at += at % 2;  // each begins at an even place
        if (at + sizeof(std::uint16_t) + sizeof(HeapTupleStart) > data.size()) return false;
        const std::size_t bytes = load<std::uint16_t>(data.data() + at);
        const auto start = load<HeapTupleStart>(data.data() + at + sizeof(std::uint16_t));
        at += sizeof(std::uint16_t) + sizeof(HeapTupleStart);
        if (bytes > data.size() - at) return false;
        const auto item = init ? static_cast<ItemNumber>(i + 1) : items[i];
        const HeapTupleHeader header = new_tuple(start, step.record.xid(), step.block_number(), item);
        if (!add_tuple(step.page, header, data.subspan(at, bytes), item)) return false;
        at += bytes;
    }
    if (at != data.size()) return false;
    if ((main.flags & kInsertAllVisibleCleared) != 0) step.page.set_flag(kPageAllVisible, false);
    if ((main.flags & kInsertAllFrozenSet) != 0) step.page.set_flag(kPageAllVisible, true);
    return step.finish();
}

// Moves tuples together after their line pointers changed, gives back unused line pointers at the end, and says on the page
// whether others are left.
bool repair_fragmentation(ItemPage page) {
    std::size_t used_end = 0, unused = 0;
    const std::size_t lines = page.count();
    for (std::size_t i = 1; i <= lines; i++) {
        if (page.line(i).state == LineState::unused) {
            page.set_line(i, {});
            unused++;
        } else {
            used_end = i;
        }
    }
    if (!page.compact()) return false;
    page.set_lower(page.lower() - (lines - used_end) * ItemPage::kLineBytes);
    page.set_flag(kPageHasFreeLines, unused > lines - used_end);
    return true;
}

bool redo_prune(RedoStep& step) {
    HeapPrune main;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    const ItemNumbers items(step.block.data);
    const std::size_t redirected_end = std::size_t{main.redirected} * 2, dead_end = redirected_end + main.dead;
    if (dead_end > items.size()) return false;
    for (std::size_t i = 0; i < items.size(); i++) {
        if (!step.page.has(items[i])) return false;
        if (i < redirected_end) {
            step.page.set_line(items[i], {items[i + 1], LineState::redirect, 0});
            if (items[i + 1] > 0x7FFF) return false;
            i++;
        } else {
            step.page.set_line(items[i], {0, i < dead_end ? LineState::dead : LineState::unused, 0});
        }
    }
    return repair_fragmentation(step.page) && step.finish();
}

// Unused line pointers at the end are given back, but for the first of all.
void truncate_lines(ItemPage page) {
    std::size_t kept = page.count();
    while (kept > 1 && page.line(kept).state == LineState::unused) kept--;
    bool any_unused = false;
    for (std::size_t i = 1; i <= kept && !any_unused; i++) any_unused = page.line(i).state == LineState::unused;
    page.set_lower(page.lower() - (page.count() - kept) * ItemPage::kLineBytes);
    page.set_flag(kPageHasFreeLines, any_unused);
}

bool redo_vacuum(RedoStep& step) {
    HeapVacuum main;
    const ItemNumbers items(step.block.data);
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init || main.unused == 0 || items.size() < main.unused)
        return false;
    for (std::size_t i = 0; i < main.unused; i++) {
        if (!step.page.has(items[i])) return false;
        const LinePointer line = step.page.line(items[i]);
        if (line.state != LineState::dead || line.has_storage()) return false;
        step.page.set_line(items[i], {});
    }
    truncate_lines(step.page);
    return step.finish();
}

bool redo_freeze_page(RedoStep& step) {
    HeapFreezePage main;
    const auto data = step.block.data;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init ||
        data.size() < main.tuples * sizeof(HeapFreezeTuple))
        return false;
    for (std::size_t i = 0; i < main.tuples; i++) {
        const auto frozen = load<HeapFreezeTuple>(data.data() + i * sizeof(HeapFreezeTuple));
        auto tuple = HeapTuple::find(step.page, frozen.item);
        // Tuples that VACUUM FULL of before Postgres 9.0 moved are left to Postgres.
        if (!tuple || (frozen.flags & kFreezeXvac) != 0) return false;
        tuple->header.xmax = frozen.xmax;
        tuple->header.infomask = frozen.infomask;
        tuple->header.infomask2 = frozen.infomask2;
        tuple->write();
    }
    return step.finish();
}

// The heap page of what the visibility map is told. It gets the record's LSN only where changes of hint bits are logged.
bool redo_visible(RedoStep& step) {
    if (step.block.id != 1 || step.block.will_init) return false;
    step.page.set_flag(kPageAllVisible, true);
    const bool logged = step.hint_bits_logged || (step.record.info() & kInfoHintBitsLogged) != 0;
    return !logged || step.finish();
}

bool redo_lock_updated(RedoStep& step) {
    HeapLock main;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    auto tuple = HeapTuple::find(step.page, main.item);
    if (!tuple) return false;
    tuple->set_xmax(main.xmax, main.infobits);
    tuple->write();
    return step.finish();
}

}  // namespace

bool redo_heap2(RedoStep step) {
    switch (step.record.operation() & kHeapOperationMask) {
        case kHeap2Prune: return redo_prune(step);
        case kHeap2Vacuum: return redo_vacuum(step);
        case kHeap2FreezePage: return redo_freeze_page(step);
        case kHeap2Visible: return redo_visible(step);
        case kHeap2MultiInsert: return redo_multi_insert(step);
        case kHeap2LockUpdated: return redo_lock_updated(step);
        default: return false;
    }
}

bool redo_visibility_map(RedoStep step) {
    HeapVisible main;
    const BlockReference* heap = step.record.block(1);
    if (!step.take_main(main) || step.block.id != 0 || heap == nullptr) return false;
    const std::uint8_t bits = main.flags & kVisibilityBits;
    if (bits != main.flags || bits == 0) return false;
    const MapSlot place = visibility_slot(heap->tag.block);
    if (place.block != step.block_number()) return false;
    if (page_is_new(step.page.bytes())) init_page(step.page.bytes());
    const unsigned shift = place.slot % kHeapBlocksPerMapByte * 2;
    std::byte& byte = step.page.bytes()[kPageContentsOffset + place.slot / kHeapBlocksPerMapByte];
    if ((std::to_integer<unsigned>(byte) >> shift & kVisibilityBits) == bits) return true;
    byte |= static_cast<std::byte>(bits << shift);
    return step.finish();
}

}  // namespace bough::pg::v15
