#include "pageserver/history/fork_reach.hpp"

#include <algorithm>

#include "pageserver/history/version_sieve.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kSlruPagesPerSegment = 32;

}  // namespace

std::optional<std::uint32_t> reach_of(std::span<const LengthVersion> newest_first, const KeptPoints& kept) {
    if (newest_first.empty() || kept.oldest() < newest_first.back().lsn) return std::nullopt;
    VersionSieve sieve(kept);
    std::uint32_t reach = 0;
    for (const LengthVersion& version : newest_first)
        if (sieve.needed(version.lsn, /*is_base=*/true)) reach = std::max(reach, version.pages);
    return reach;
}

bool ForkReach::out_of_reach(const ObjectKey& page, Lsn version) const {
    if (version > known_to || pages.empty()) return false;
    ObjectKey length = page;
    std::uint32_t page_number = page.block;
    if (page.kind == Kind::slru_page) {
        length.kind = Kind::slru_segment;
        length.block = page.block / kSlruPagesPerSegment;
        page_number = page.block % kSlruPagesPerSegment;
    } else {
        length.kind = Kind::fork_length;
        length.block = 0;
    }
    const auto found = pages.find(length);
    return found != pages.end() && page_number >= found->second;
}

}  // namespace bough::pageserver
