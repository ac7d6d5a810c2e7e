// Where the visibility map has a heap block's two bits. The same in Postgres 15 to 18.
#pragma once

#include <cstdint>

#include "pg/page_header.hpp"
#include "pg/page_tag.hpp"

namespace bough::pg {

inline constexpr std::uint8_t kAllVisible = 0x01;
inline constexpr std::uint8_t kAllFrozen = 0x02;
inline constexpr std::uint8_t kVisibilityBits = kAllVisible | kAllFrozen;

inline constexpr std::uint32_t kHeapBlocksPerMapByte = 4;
inline constexpr std::uint32_t kHeapBlocksPerMapPage = (kPageBytes - kPageContentsOffset) * kHeapBlocksPerMapByte;
static_assert(kHeapBlocksPerMapPage == 32672);

// A heap block's place in the map.
struct MapSlot {
    std::uint32_t block;  // of the map fork
    std::uint16_t slot;   // of that page: 0 .. kHeapBlocksPerMapPage - 1
};

constexpr MapSlot visibility_slot(std::uint32_t heap_block) {
    return {heap_block / kHeapBlocksPerMapPage, static_cast<std::uint16_t>(heap_block % kHeapBlocksPerMapPage)};
}

// The page of the map that has this heap block's bits.
constexpr PageTag visibility_page(const Relation& relation, std::uint32_t heap_block) {
    return PageTag{{relation, Fork::visibility}, visibility_slot(heap_block).block};
}

// How long the map is for a heap of so many blocks, as a truncation leaves it.
constexpr std::uint32_t visibility_map_blocks(std::uint32_t heap_blocks) {
    const auto [block, slot] = visibility_slot(heap_blocks);
    return slot == 0 ? block : block + 1;
}

}  // namespace bough::pg
