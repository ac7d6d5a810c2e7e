// What marks files and WAL as Postgres 15's.
#pragma once

#include <cstdint>

namespace bough::pg::v15 {

inline constexpr int kMajorVersion = 15;
inline constexpr std::uint16_t kWalPageMagic = 0xD110;
inline constexpr std::uint32_t kControlFileVersion = 1300;
inline constexpr std::uint32_t kCatalogVersion = 202209061;

// Resource managers, as rmgrlist.h numbers them.
enum class ResourceManager : std::uint8_t {
    xlog = 0,
    xact = 1,
    smgr = 2,
    clog = 3,
    dbase = 4,
    tblspc = 5,
    multixact = 6,
    relmap = 7,
    standby = 8,
    heap2 = 9,
    heap = 10,
    btree = 11,
    hash = 12,
    gin = 13,
    gist = 14,
    seq = 15,
    spgist = 16,
    brin = 17,
    commit_ts = 18,
    replorigin = 19,
    generic = 20,
    logicalmsg = 21,
};
inline constexpr std::uint8_t kResourceManagerMax = 21;
// Extensions register their own from here to 255.
inline constexpr std::uint8_t kCustomResourceManagerMin = 128;

constexpr bool valid_resource_manager(std::uint8_t id) { return id <= kResourceManagerMax || id >= kCustomResourceManagerMin; }

// Records of the XLOG resource manager: one, and the one that ends a segment early.
inline constexpr std::uint8_t kXlogCheckpointShutdown = 0x00;
inline constexpr std::uint8_t kXlogSwitch = 0x40;

}  // namespace bough::pg::v15
