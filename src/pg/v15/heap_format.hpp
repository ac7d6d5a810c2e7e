// Heap tuples and heap records of Postgres 15 (access/htup_details.h, access/heapam_xlog.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bough::pg::v15 {

// HeapTupleHeaderData. No alignment: it is copied out of pages and back.
#pragma pack(push, 1)
struct HeapTupleHeader {
    std::uint32_t xmin;
    std::uint32_t xmax;
    std::uint32_t command;          // t_cid, or t_xvac
    std::uint16_t next_block_high;  // t_ctid
    std::uint16_t next_block_low;
    std::uint16_t next_item;
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t data_offset;  // t_hoff
};
#pragma pack(pop)
static_assert(sizeof(HeapTupleHeader) == 23);

// t_infomask
inline constexpr std::uint16_t kXmaxKeyShareLock = 0x0010;
inline constexpr std::uint16_t kComboCommand = 0x0020;
inline constexpr std::uint16_t kXmaxExclusiveLock = 0x0040;
inline constexpr std::uint16_t kXmaxLockOnly = 0x0080;
inline constexpr std::uint16_t kXmaxCommitted = 0x0400;
inline constexpr std::uint16_t kXmaxInvalid = 0x0800;
inline constexpr std::uint16_t kXmaxIsMulti = 0x1000;
inline constexpr std::uint16_t kMoved = 0xC000;
inline constexpr std::uint16_t kLockMask = kXmaxKeyShareLock | kXmaxExclusiveLock;
inline constexpr std::uint16_t kXmaxBits = kXmaxCommitted | kXmaxInvalid | kXmaxIsMulti | kLockMask | kXmaxLockOnly;
// t_infomask2
inline constexpr std::uint16_t kKeysUpdated = 0x2000;
inline constexpr std::uint16_t kHotUpdated = 0x4000;

// t_ctid of a row that moved to another partition.
inline constexpr std::uint32_t kMovedPartitionsBlock = 0xFFFFFFFF;
inline constexpr std::uint16_t kMovedPartitionsItem = 0xFFFD;

inline constexpr std::size_t kHeapItemsMax = 291;        // MaxHeapTuplesPerPage
inline constexpr std::size_t kHeapTupleBytesMax = 8160;  // MaxHeapTupleSize

// Operations; the highest bit says that the page is made anew.
inline constexpr std::uint8_t kHeapOperationMask = 0x70;
inline constexpr std::uint8_t kHeapInitPage = 0x80;
inline constexpr std::uint8_t kHeapInsert = 0x00;
inline constexpr std::uint8_t kHeapDelete = 0x10;
inline constexpr std::uint8_t kHeapUpdate = 0x20;
inline constexpr std::uint8_t kHeapHotUpdate = 0x40;
inline constexpr std::uint8_t kHeapConfirm = 0x50;
inline constexpr std::uint8_t kHeapLock = 0x60;
inline constexpr std::uint8_t kHeapInplace = 0x70;
inline constexpr std::uint8_t kHeap2Prune = 0x10;
inline constexpr std::uint8_t kHeap2Vacuum = 0x20;
inline constexpr std::uint8_t kHeap2FreezePage = 0x30;
inline constexpr std::uint8_t kHeap2Visible = 0x40;
inline constexpr std::uint8_t kHeap2MultiInsert = 0x50;
inline constexpr std::uint8_t kHeap2LockUpdated = 0x60;

// infobits_set: what becomes of t_infomask and t_infomask2.
inline constexpr std::uint8_t kInfoXmaxIsMulti = 0x01;
inline constexpr std::uint8_t kInfoXmaxLockOnly = 0x02;
inline constexpr std::uint8_t kInfoXmaxExclusiveLock = 0x04;
inline constexpr std::uint8_t kInfoXmaxKeyShareLock = 0x08;
inline constexpr std::uint8_t kInfoKeysUpdated = 0x10;

inline constexpr std::uint8_t kInsertAllVisibleCleared = 0x01;
inline constexpr std::uint8_t kInsertAllFrozenSet = 0x20;
inline constexpr std::uint8_t kUpdateOldAllVisibleCleared = 0x01;
inline constexpr std::uint8_t kUpdateNewAllVisibleCleared = 0x02;
inline constexpr std::uint8_t kUpdatePrefixFromOld = 0x20;
inline constexpr std::uint8_t kUpdateSuffixFromOld = 0x40;
inline constexpr std::uint8_t kDeleteAllVisibleCleared = 0x01;
inline constexpr std::uint8_t kDeleteIsSuper = 0x08;
inline constexpr std::uint8_t kDeleteIsPartitionMove = 0x10;
inline constexpr std::uint8_t kFreezeXvac = 0x02 | 0x04;

// The fixed parts of main data and block data, without padding at their ends.
#pragma pack(push, 1)
struct HeapInsert {
    std::uint16_t item;
    std::uint8_t flags;
};
struct HeapDelete {
    std::uint32_t xmax;
    std::uint16_t item;
    std::uint8_t infobits;
    std::uint8_t flags;
};
struct HeapUpdate {
    std::uint32_t old_xmax;
    std::uint16_t old_item;
    std::uint8_t old_infobits;
    std::uint8_t flags;
    std::uint32_t new_xmax;
    std::uint16_t new_item;
};
// xl_heap_lock and xl_heap_lock_updated.
struct HeapLock {
    std::uint32_t xmax;
    std::uint16_t item;
    std::uint8_t infobits;
    std::uint8_t flags;
};
struct HeapItem {  // xl_heap_confirm, xl_heap_inplace
    std::uint16_t item;
};
// In front of a tuple's data; of a multi-insert's, its length comes before it.
struct HeapTupleStart {
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t data_offset;
};
struct HeapPrune {
    std::uint32_t latest_removed_xid;
    std::uint16_t redirected;
    std::uint16_t dead;
};
struct HeapVacuum {
    std::uint16_t unused;
};
struct HeapFreezePage {
    std::uint32_t cutoff_xid;
    std::uint16_t tuples;
};
struct HeapFreezeTuple {
    std::uint32_t xmax;
    std::uint16_t item;
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t flags;
    std::uint8_t padding;
};
struct HeapVisible {
    std::uint32_t cutoff_xid;
    std::uint8_t flags;
};
struct HeapMultiInsert {
    std::uint8_t flags;
    std::uint8_t padding;
    std::uint16_t tuples;
};
#pragma pack(pop)

}  // namespace bough::pg::v15
