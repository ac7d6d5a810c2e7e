// Heap records: their pages, and the visibility map's bits, which are not in block references.
#include "pg/page_edit.hpp"
#include "pg/v15/extract.hpp"
#include "pg/v15/record_format.hpp"
#include "pg/visibility_map.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kOperationMask = 0x70;  // 0x80 says that the page is new

enum HeapOperation : std::uint8_t {
    kInsert = 0x00,
    kDelete = 0x10,
    kUpdate = 0x20,
    kHeapTruncate = 0x30,
    kHotUpdate = 0x40,
    kConfirm = 0x50,
    kLock = 0x60,
    kInplace = 0x70,
};

enum Heap2Operation : std::uint8_t {
    kRewrite = 0x00,
    kPrune = 0x10,
    kVacuum = 0x20,
    kFreezePage = 0x30,
    kVisible = 0x40,
    kMultiInsert = 0x50,
    kLockUpdated = 0x60,
    kNewCid = 0x70,
};

// Where a record has its flags, and which of them say that the visibility map lost bits.
constexpr std::size_t kInsertFlagsOffset = 2;  // after offnum
constexpr std::size_t kDeleteFlagsOffset = 7;  // after xmax, offnum, infobits
constexpr std::size_t kUpdateFlagsOffset = 7;  // after old xmax, old offnum, old infobits
constexpr std::size_t kLockFlagsOffset = 7;    // after xid, offnum, infobits; of both kinds of lock records
constexpr std::size_t kMultiInsertFlagsOffset = 0;
constexpr std::uint8_t kVisibleCleared = 0x01;
constexpr std::uint8_t kUpdateNewVisibleCleared = 0x02;
constexpr std::uint8_t kLockFrozenCleared = 0x01;

Result<std::uint8_t> flags_at(Extraction& x, std::size_t offset) {
    if (offset >= x.record.main_data().size()) return x.corrupt("too short for its kind");
    return static_cast<std::uint8_t>(x.record.main_data()[offset]);
}

Result<void> clear_bits(Extraction& x, const BlockReference* heap_block, std::uint8_t bits) {
    if (heap_block == nullptr) return x.corrupt("without the block that it changes");
    const PageTag& heap = heap_block->tag;
    x.buffer.clear();
    append_visibility_clear(x.buffer, visibility_slot(heap.block).slot, bits);
    x.sink.page_edit(visibility_page(heap.fork.relation, heap.block), false, x.buffer);
    return {};
}

// For records of one heap block, block reference 0.
Result<void> clear_bits_if_flagged(Extraction& x, std::size_t flags_offset, std::uint8_t flag, std::uint8_t bits) {
    BOUGH_ASSIGN(const std::uint8_t flags, flags_at(x, flags_offset));
    return (flags & flag) != 0 ? clear_bits(x, x.record.block(0), bits) : Result<void>();
}

Result<void> clear_bits_of_update(Extraction& x) {
    BOUGH_ASSIGN(const std::uint8_t flags, flags_at(x, kUpdateFlagsOffset));
    const BlockReference* new_block = x.record.block(0);
    const BlockReference* old_block = x.record.block(1) != nullptr ? x.record.block(1) : new_block;
    if ((flags & kVisibleCleared) != 0) BOUGH_TRY(clear_bits(x, old_block, kVisibilityBits));
    if ((flags & kUpdateNewVisibleCleared) != 0) BOUGH_TRY(clear_bits(x, new_block, kVisibilityBits));
    return {};
}

// The heap page gets the record's LSN only if changes of hint bits are logged. Data checksums are a cluster's for ever, but
// wal_log_hints may be another in the next record: so the record itself says it.
Result<void> extract_visible_heap(Extraction& x, const BlockReference& heap) {
    if (!x.parameters.wal_log_hints || heap.apply_image || heap.will_init) return extract_block(x, heap);
    const auto bytes = record_for_page(x.record, heap, false, x.buffer);
    if (bytes.data() != as_bytes(x.buffer).data()) x.buffer.assign(as_text(bytes));
    x.buffer[offsetof(WalRecordHeader, info)] |= static_cast<char>(kInfoHintBitsLogged);
    x.sink.page_record(heap.tag, PageBase::previous, as_bytes(x.buffer));
    return {};
}

// Block reference 0 is the map's page, 1 the heap's.
Result<void> extract_visible(Extraction& x) {
    const BlockReference* map = x.record.block(0);
    const BlockReference* heap = x.record.block(1);
    if (map == nullptr || heap == nullptr) return x.corrupt("without the blocks that it changes");
    BOUGH_ASSIGN(const std::uint8_t bits, flags_at(x, sizeof(std::uint32_t)));  // after the cutoff xid
    const PageTag expected = visibility_page(heap->tag.fork.relation, heap->tag.block);
    if (bits == 0 || (bits & ~kVisibilityBits) != 0 || map->tag != expected) return x.corrupt("invalid visibility map change");

    BOUGH_TRY(extract_visible_heap(x, *heap));
    if (map->apply_image) return extract_block_image(x, *map);
    x.buffer.clear();
    append_visibility_set(x.buffer, visibility_slot(heap->tag.block).slot, bits);
    x.sink.page_edit(map->tag, true, x.buffer);
    return {};
}

}  // namespace

Result<void> extract_heap(Extraction& x) {
    switch (x.record.info() & kOperationMask) {
        case kInsert: BOUGH_TRY(clear_bits_if_flagged(x, kInsertFlagsOffset, kVisibleCleared, kVisibilityBits)); break;
        case kDelete: BOUGH_TRY(clear_bits_if_flagged(x, kDeleteFlagsOffset, kVisibleCleared, kVisibilityBits)); break;
        case kUpdate:
        case kHotUpdate: BOUGH_TRY(clear_bits_of_update(x)); break;
        case kLock: BOUGH_TRY(clear_bits_if_flagged(x, kLockFlagsOffset, kLockFrozenCleared, kAllFrozen)); break;
        case kHeapTruncate:  // for logical decoding only
        case kConfirm:
        case kInplace: break;
    }
    return extract_blocks(x);
}

Result<void> extract_heap2(Extraction& x) {
    switch (x.record.info() & kOperationMask) {
        case kVisible: return extract_visible(x);
        case kMultiInsert: BOUGH_TRY(clear_bits_if_flagged(x, kMultiInsertFlagsOffset, kVisibleCleared, kVisibilityBits)); break;
        case kLockUpdated: BOUGH_TRY(clear_bits_if_flagged(x, kLockFlagsOffset, kLockFrozenCleared, kAllFrozen)); break;
        case kPrune:
        case kVacuum:
        case kFreezePage: break;
        case kRewrite:  // for logical decoding only
        case kNewCid: break;
    }
    return extract_blocks(x);
}

}  // namespace bough::pg::v15
