// Where the free space map has a heap block's byte. The same in Postgres 15 to 18.
//
// The map is a tree of pages three levels high, the children of each page next to it, in depth-first order; each page is a
// binary tree of maxima over its slots.
#pragma once

#include <cstdint>

#include "pg/page_header.hpp"
#include "pg/page_tag.hpp"

namespace bough::pg {

inline constexpr std::uint32_t kFreeSpaceNodes = kPageBytes - kPageContentsOffset - 4;  // after fp_next_slot
inline constexpr std::uint32_t kFreeSpaceInnerNodes = kPageBytes / 2 - 1;
inline constexpr std::uint32_t kFreeSpaceSlots = kFreeSpaceNodes - kFreeSpaceInnerNodes;
static_assert(kFreeSpaceSlots == 4069);
inline constexpr int kFreeSpaceLevels = 3;

// The block of the map fork whose slots are heap blocks [leaf * kFreeSpaceSlots, (leaf + 1) * kFreeSpaceSlots).
constexpr std::uint32_t free_space_leaf_block(std::uint32_t leaf) {
    std::uint32_t blocks = 0;
    for (int level = 0; level < kFreeSpaceLevels; ++level, leaf /= kFreeSpaceSlots) blocks += leaf + 1;
    return blocks - 1;
}
static_assert(free_space_leaf_block(0) == 2 && free_space_leaf_block(1) == 3 && free_space_leaf_block(kFreeSpaceSlots) == 4072);

struct FreeSpaceSlot {
    std::uint32_t block;  // of the map fork
    std::uint16_t slot;   // of that page
};

constexpr FreeSpaceSlot free_space_slot(std::uint32_t heap_block) {
    return {free_space_leaf_block(heap_block / kFreeSpaceSlots), static_cast<std::uint16_t>(heap_block % kFreeSpaceSlots)};
}

// How long the map is for a heap of so many blocks, as a truncation leaves it.
constexpr std::uint32_t free_space_map_blocks(std::uint32_t heap_blocks) {
    const auto [block, slot] = free_space_slot(heap_blocks);
    return slot == 0 ? block : block + 1;
}

}  // namespace bough::pg
