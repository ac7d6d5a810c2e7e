// The stored values of everything that is not a page. Each decoder takes any bytes; what is wrong is ErrorCode::corrupt.
// docs/formats/page_store.md is the specification.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/change.hpp"

namespace bough::pageserver {

// A value says first whether the object is there at all from this version on.
std::string encode_absent();
// Content of the kinds whose value is plain bytes: relation_map, tablespace, two_phase, database (empty).
std::string encode_present(std::string_view content);
// The content of any version but a page's; nullopt: absent.
Result<std::optional<std::string_view>> decode_presence(std::string_view value);

// fork_length, slru_segment.
std::string encode_length(std::uint32_t length);
Result<std::uint32_t> decode_length(std::string_view content);

// A place in the log between two records.
struct LogPosition {
    Lsn lsn;          // the end of the last record
    Lsn prev_lsn;     // its start
    auto operator<=>(const LogPosition&) const = default;
};
std::string encode_position(LogPosition position);
Result<LogPosition> decode_position(std::string_view content);

// A commit later than all commits before it, stored at the end of its record.
struct CommitTime {
    std::int64_t time = 0;  // microseconds since 2000-01-01 UTC
    LogPosition before;     // just before its record
    bool operator==(const CommitTime&) const = default;
};
std::string encode_commit_time(const CommitTime& commit);
Result<CommitTime> decode_commit_time(std::string_view content);

// How far another cluster's WAL has been replayed here (pg_replication_origin).
struct OriginProgress {
    Lsn remote;
    Lsn local;
    bool operator==(const OriginProgress&) const = default;
};
std::string encode_origin(const OriginProgress& progress);
Result<OriginProgress> decode_origin(std::string_view content);

std::string encode_counters(const pg::Counters& counters);
Result<pg::Counters> decode_counters(std::string_view content);
std::string encode_parameters(const pg::Parameters& parameters);
Result<pg::Parameters> decode_parameters(std::string_view content);

}  // namespace bough::pageserver
