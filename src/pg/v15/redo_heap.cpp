// Redo of the resource manager Heap: single tuples.
#include "pg/v15/heap_format.hpp"
#include "pg/v15/heap_tuple.hpp"
#include "pg/v15/redo_step.hpp"

namespace bough::pg::v15 {
namespace {

// Makes the page anew where the record says so. False when record and block reference disagree about it.
bool begin_page(const RedoStep& step) {
    const bool init = (step.record.info() & kHeapInitPage) != 0;
    if (init != step.block.will_init) return false;
    if (init) init_page(step.page.bytes());
    return true;
}

bool redo_insert(RedoStep& step) {
    HeapInsert main;
    const auto data = step.block.data;
    if (!step.take_main(main) || step.block.id != 0 || data.size() <= sizeof(HeapTupleStart) || !begin_page(step)) return false;
    const auto start = load<HeapTupleStart>(data.data());
    const HeapTupleHeader header = new_tuple(start, step.record.xid(), step.block_number(), main.item);
    if (!add_tuple(step.page, header, data.subspan(sizeof(start)), main.item)) return false;
    if ((main.flags & kInsertAllVisibleCleared) != 0) step.page.set_flag(kPageAllVisible, false);
    if ((main.flags & kInsertAllFrozenSet) != 0) step.page.set_flag(kPageAllVisible, true);
    return step.finish();
}

bool redo_delete(RedoStep& step) {
    HeapDelete main;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    auto tuple = HeapTuple::find(step.page, main.item);
    if (!tuple) return false;
    const bool super = (main.flags & kDeleteIsSuper) != 0;
    tuple->set_hot_updated(false);
    tuple->set_xmax(super ? tuple->header.xmax : main.xmax, main.infobits);
    if (super) tuple->header.xmin = 0;
    tuple->clear_command();
    if ((main.flags & kDeleteIsPartitionMove) != 0)
        tuple->set_next(kMovedPartitionsBlock, kMovedPartitionsItem);
    else
        tuple->set_next(step.block_number(), main.item);
    tuple->write();
    set_prunable(step.page, step.record.xid());
    if ((main.flags & kDeleteAllVisibleCleared) != 0) step.page.set_flag(kPageAllVisible, false);
    return step.finish();
}

bool mark_updated(RedoStep& step, const HeapUpdate& main, bool hot, std::uint32_t new_block) {
    auto tuple = HeapTuple::find(step.page, main.old_item);
    if (!tuple) return false;
    tuple->set_hot_updated(hot);
    tuple->set_xmax(main.old_xmax, main.old_infobits);
    tuple->clear_command();
    tuple->set_next(new_block, main.new_item);
    tuple->write();
    set_prunable(step.page, step.record.xid());
    if ((main.flags & kUpdateOldAllVisibleCleared) != 0) step.page.set_flag(kPageAllVisible, false);
    return true;
}

// The new tuple of an update: a header, the null bitmap, and the data, of which a beginning and an end may be the old tuple's.
bool add_updated(RedoStep& step, const HeapUpdate& main, std::span<const std::byte> old) {
    ByteReader data(step.block.data);
    const std::size_t prefix = (main.flags & kUpdatePrefixFromOld) != 0 ? data.take<std::uint16_t>() : 0;
    const std::size_t suffix = (main.flags & kUpdateSuffixFromOld) != 0 ? data.take<std::uint16_t>() : 0;
    const auto start = data.take<HeapTupleStart>();
    if (data.failed() || start.data_offset < sizeof(HeapTupleHeader)) return false;
    const auto bitmap = data.take_bytes(prefix > 0 ? start.data_offset - sizeof(HeapTupleHeader) : 0);
    const auto middle = data.rest();
    std::span<const std::byte> from_prefix, from_suffix;
    if (prefix > 0) {
        const std::size_t begin = load<HeapTupleHeader>(old.data()).data_offset;
        if (begin > old.size() || prefix > old.size() - begin) return false;
        from_prefix = old.subspan(begin, prefix);
    }
    if (suffix > 0) {
        if (suffix > old.size()) return false;
        from_suffix = old.last(suffix);
    }
    if (data.failed()) return false;

    HeapTupleHeader header = new_tuple(start, step.record.xid(), step.block_number(), main.new_item);
    header.xmax = main.new_xmax;
    std::byte* at = add_tuple_space(step.page, sizeof(header) + bitmap.size() + prefix + middle.size() + suffix, main.new_item);
    if (at == nullptr) return false;
    store(at, header);
    at += sizeof(header);
    for (const auto part : {bitmap, from_prefix, middle, from_suffix}) {
        if (part.empty()) continue;
        std::memcpy(at, part.data(), part.size());
        at += part.size();
    }
    if ((main.flags & kUpdateNewAllVisibleCleared) != 0) step.page.set_flag(kPageAllVisible, false);
    return true;
}

bool redo_update(RedoStep& step, bool hot) {
    HeapUpdate main;
    if (!step.take_main(main)) return false;
    const BlockReference* new_block = step.record.block(0);
    const BlockReference* old_block = step.record.block(1);  // only if it is another
    if (new_block == nullptr || (old_block != nullptr && (hot || old_block->tag.block == new_block->tag.block))) return false;
    if (step.block.id == 1) {
        // The page that the tuple leaves.
        return !step.block.will_init && mark_updated(step, main, hot, new_block->tag.block) && step.finish();
    }
    if (step.block.id != 0) return false;
    if (old_block != nullptr) {
        if ((main.flags & (kUpdatePrefixFromOld | kUpdateSuffixFromOld)) != 0) return false;
        return begin_page(step) && add_updated(step, main, {}) && step.finish();
    }
    if (step.block.will_init || !mark_updated(step, main, hot, new_block->tag.block)) return false;
    return add_updated(step, main, step.page.item(main.old_item)) && step.finish();
}

bool redo_confirm(RedoStep& step) {
    HeapItem main;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    auto tuple = HeapTuple::find(step.page, main.item);
    if (!tuple) return false;
    tuple->set_next(step.block_number(), main.item);
    tuple->write();
    return step.finish();
}

bool redo_lock(RedoStep& step) {
    HeapLock main;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    auto tuple = HeapTuple::find(step.page, main.item);
    if (!tuple) return false;
    tuple->set_xmax(main.xmax, main.infobits);
    if (tuple->is_only_locked()) {
        tuple->set_hot_updated(false);
        tuple->set_next(step.block_number(), main.item);
    }
    tuple->clear_command();
    tuple->write();
    return step.finish();
}

bool redo_inplace(RedoStep& step) {
    HeapItem main;
    const auto data = step.block.data;
    if (!step.take_main(main) || step.block.id != 0 || step.block.will_init) return false;
    auto tuple = HeapTuple::find(step.page, main.item);
    if (!tuple || data.empty()) return false;
    const std::size_t begin = tuple->header.data_offset;
    if (begin < sizeof(HeapTupleHeader) || tuple->bytes.size() != begin + data.size()) return false;
    std::memcpy(tuple->bytes.data() + begin, data.data(), data.size());
    return step.finish();
}

}  // namespace

bool redo_heap(RedoStep step) {
    switch (step.record.operation() & kHeapOperationMask) {
        case kHeapInsert: return redo_insert(step);
        case kHeapDelete: return redo_delete(step);
        case kHeapUpdate: return redo_update(step, false);
        case kHeapHotUpdate: return redo_update(step, true);
        case kHeapConfirm: return redo_confirm(step);
        case kHeapLock: return redo_lock(step);
        case kHeapInplace: return redo_inplace(step);
        default: return false;
    }
}

}  // namespace bough::pg::v15
