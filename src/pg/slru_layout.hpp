// Where Postgres's SLRU files have what: pages of 8192 bytes, segment files of 32 pages. The same in Postgres 15 to 18.
#pragma once

#include <cstdint>

#include "pg/page_tag.hpp"

namespace bough::pg {

inline constexpr std::uint32_t kSlruSegmentPages = 32;

inline constexpr std::uint32_t kFirstNormalXid = 3;
inline constexpr std::uint32_t kFirstMultiXact = 1;
inline constexpr std::uint32_t kMaxMultiXact = 0xFFFFFFFF;

// pg_xact: two bits per transaction.
inline constexpr std::uint32_t kXactsPerPage = kPageBytes * 4;
enum class XactStatus : std::uint8_t { in_progress = 0, committed = 1, aborted = 2, sub_committed = 3 };

// pg_multixact/offsets: a 32-bit offset into members per multixact.
inline constexpr std::uint32_t kMultiOffsetsPerPage = kPageBytes / 4;

// pg_multixact/members: groups of four status bytes and then four transaction ids.
inline constexpr std::uint32_t kMembersPerGroup = 4;
inline constexpr std::uint32_t kMemberGroupBytes = 20;
inline constexpr std::uint32_t kMembersPerPage = kPageBytes / kMemberGroupBytes * kMembersPerGroup;
static_assert(kMembersPerPage == 1636);

// pg_commit_ts: a time and a replication origin per transaction, unaligned.
inline constexpr std::uint32_t kCommitTsBytes = 10;
inline constexpr std::uint32_t kCommitTsPerPage = kPageBytes / kCommitTsBytes;
static_assert(kCommitTsPerPage == 819);

// How many entries (transactions, multixacts, members) a page of this SLRU holds.
constexpr std::uint32_t slru_entries_per_page(Slru slru) {
    switch (slru) {
        case Slru::xact: return kXactsPerPage;
        case Slru::multixact_offsets: return kMultiOffsetsPerPage;
        case Slru::multixact_members: return kMembersPerPage;
        case Slru::commit_ts: return kCommitTsPerPage;
    }
    return 0;
}

// The number of the last page there can be: entries are numbered with 32 bits.
constexpr std::uint32_t slru_page_max(Slru slru) { return 0xFFFFFFFF / slru_entries_per_page(slru); }

// Postgres's circular orders. Of transaction ids, those below kFirstNormalXid precede all others.
constexpr bool multi_precedes(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
constexpr bool xid_precedes(std::uint32_t a, std::uint32_t b) {
    return a < kFirstNormalXid || b < kFirstNormalXid ? a < b : static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace bough::pg
