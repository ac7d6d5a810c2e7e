// How far forks that shrank or went still reach, so that the pages beyond can go.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "bough/lsn.hpp"
#include "pageserver/history/kept_points.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// One version of a fork's or SLRU segment's length; 0 where there is none.
struct LengthVersion {
    Lsn lsn;
    std::uint32_t pages = 0;
};

// The greatest length, at any kept LSN, that these versions (newest first, one branch's own) give. nullopt: some kept LSN lies
// below them all, where the parent decides.
std::optional<std::uint32_t> reach_of(std::span<const LengthVersion> newest_first, const KeptPoints& kept);

// Of one branch. A page version at or below `known_to` whose page lies at or beyond the reach of its fork is read by nobody: at a
// kept LSN up to `known_to` the fork ends before it, and above, growth has given the page a new base.
struct ForkReach {
    Lsn known_to;
    std::map<ObjectKey, std::uint32_t> pages;  // by fork_length or slru_segment object

    // Of a version of a page or slru_page object.
    bool out_of_reach(const ObjectKey& page, Lsn version) const;
};

}  // namespace bough::pageserver
