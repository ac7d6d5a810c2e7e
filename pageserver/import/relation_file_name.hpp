// The names of relation files in a data directory: "16384", "16384_fsm", "16384.1", "16384_vm.2".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/page_tag.hpp"

namespace bough::pageserver {

struct RelationFileName {
    std::uint32_t relation = 0;
    pg::Fork fork = pg::Fork::main;
    std::uint32_t segment = 0;
    bool operator==(const RelationFileName&) const = default;
};

// nullopt for files that belong to no permanent relation.
std::optional<RelationFileName> parse_relation_file_name(std::string_view name);
// Of the first segment.
std::string relation_file_name(std::uint32_t relation, pg::Fork fork);

// Relation files are cut into segments of this many blocks.
inline constexpr std::uint32_t kSegmentBlocks = 131072;

}  // namespace bough::pageserver
