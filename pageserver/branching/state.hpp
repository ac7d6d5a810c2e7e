// What a branch holds at an LSN, beside its pages: typed reads over view.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/view.hpp"
#include "pg/change.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

struct DatabaseDirectory {
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;
    auto operator<=>(const DatabaseDirectory&) const = default;
};

using ForkLengths = std::map<pg::RelationFork, std::uint32_t>;  // blocks

// nullopt: there is no such fork.
Result<std::optional<std::uint32_t>> read_fork_length(Cursor& cursor, const Branch& branch, const pg::RelationFork& fork, Lsn at);
Result<ForkLengths> read_forks(const Branch& branch, Lsn at);
Result<ForkLengths> read_forks_of_database(const Branch& branch, DatabaseDirectory database, Lsn at);

Result<std::vector<DatabaseDirectory>> read_databases(const Branch& branch, Lsn at);
// By directory; (1664, 0) is the shared map.
Result<std::map<DatabaseDirectory, std::string>> read_relation_maps(const Branch& branch, Lsn at);
// Oid to path.
Result<std::map<std::uint32_t, std::string>> read_tablespaces(const Branch& branch, Lsn at);
// Segment to length in pages.
Result<std::map<std::uint32_t, std::uint32_t>> read_slru_segments(const Branch& branch, pg::Slru slru, Lsn at);
// Transaction id to state file.
Result<std::map<std::uint32_t, std::string>> read_two_phase(const Branch& branch, Lsn at);
Result<std::map<std::uint16_t, OriginProgress>> read_origins(const Branch& branch, Lsn at);

// Every root is imported with these, so their absence is ErrorCode::corrupt.
Result<pg::Counters> read_counters(const Branch& branch, Lsn at);
Result<pg::Parameters> read_parameters(const Branch& branch, Lsn at);

}  // namespace bough::pageserver
