// Btree pages, index tuples and btree records of Postgres 15 (access/itup.h, access/nbtree.h, access/nbtxlog.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bough::pg::v15 {

// The special space of a page.
struct BtreeSpecial {
    std::uint32_t previous;
    std::uint32_t next;
    std::uint32_t level;
    std::uint16_t flags;
    std::uint16_t cycle_id;
};
static_assert(sizeof(BtreeSpecial) == 16);

inline constexpr std::uint16_t kBtreeLeaf = 0x0001;
inline constexpr std::uint16_t kBtreeRoot = 0x0002;
inline constexpr std::uint16_t kBtreeMeta = 0x0008;
inline constexpr std::uint16_t kBtreeHasGarbage = 0x0040;
inline constexpr std::uint16_t kBtreeIncompleteSplit = 0x0080;
inline constexpr std::uint32_t kBtreeNoBlock = 0;  // P_NONE

// Where the metapage's content is.
struct BtreeMeta {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t root;
    std::uint32_t level;
    std::uint32_t fast_root;
    std::uint32_t fast_level;
    std::uint32_t last_cleanup_deleted_pages;
    std::uint32_t padding;
    double last_cleanup_heap_tuples;
    std::uint8_t all_equal_image;
    std::uint8_t padding_at_end[7];
};
static_assert(sizeof(BtreeMeta) == 48);
inline constexpr std::uint32_t kBtreeMagic = 0x053162;
inline constexpr std::uint32_t kBtreeVersionMin = 3;  // BTREE_NOVAC_VERSION

// IndexTupleData: the row a tuple leads to, and its own length. A posting list is a tuple of many rows: `block` is where
// they begin in it, `item` how many there are.
#pragma pack(push, 1)
struct RowId {
    std::uint16_t block_high;
    std::uint16_t block_low;
    std::uint16_t item;
};
struct IndexTuple {
    RowId row;
    std::uint16_t info;
};
#pragma pack(pop)
static_assert(sizeof(RowId) == 6 && sizeof(IndexTuple) == 8);

inline constexpr std::uint16_t kIndexSizeMask = 0x1FFF;
inline constexpr std::uint16_t kIndexAlternativeRow = 0x2000;  // INDEX_ALT_TID_MASK: `row` is something else
inline constexpr std::uint16_t kBtreeCountMask = 0x0FFF;       // BT_OFFSET_MASK
inline constexpr std::uint16_t kBtreeIsPosting = 0x2000;

inline constexpr std::size_t kBtreeItemBytesMax = 2704;  // BTMaxItemSize
inline constexpr std::uint16_t kBtreeHighKey = 1;

inline constexpr std::uint8_t kBtreeInsertLeaf = 0x00;
inline constexpr std::uint8_t kBtreeInsertUpper = 0x10;
inline constexpr std::uint8_t kBtreeInsertMeta = 0x20;
inline constexpr std::uint8_t kBtreeSplitLeft = 0x30;
inline constexpr std::uint8_t kBtreeSplitRight = 0x40;
inline constexpr std::uint8_t kBtreeInsertPosting = 0x50;
inline constexpr std::uint8_t kBtreeDedup = 0x60;
inline constexpr std::uint8_t kBtreeDelete = 0x70;
inline constexpr std::uint8_t kBtreeNewRoot = 0xA0;
inline constexpr std::uint8_t kBtreeVacuum = 0xC0;
inline constexpr std::uint8_t kBtreeMetaCleanup = 0xE0;

#pragma pack(push, 1)
struct BtreeInsert {
    std::uint16_t item;
};
struct BtreeSplit {
    std::uint32_t level;
    std::uint16_t first_right;
    std::uint16_t new_item;
    std::uint16_t posting;
};
struct BtreeDedup {
    std::uint16_t intervals;
};
struct BtreeDedupInterval {
    std::uint16_t first;
    std::uint16_t items;
};
struct BtreeDelete {
    std::uint32_t latest_removed_xid;
    std::uint16_t deleted;
    std::uint16_t updated;
};
struct BtreeVacuum {
    std::uint16_t deleted;
    std::uint16_t updated;
};
struct BtreeNewRoot {
    std::uint32_t block;
    std::uint32_t level;
};
struct BtreeMetaRecord {
    std::uint32_t version;
    std::uint32_t root;
    std::uint32_t level;
    std::uint32_t fast_root;
    std::uint32_t fast_level;
    std::uint32_t last_cleanup_deleted_pages;
    std::uint8_t all_equal_image;
    std::uint8_t padding[3];
};
#pragma pack(pop)

}  // namespace bough::pg::v15
