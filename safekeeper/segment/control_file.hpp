// The control file of a branch: who it is, what was promised, where to look in its log. docs/formats/safekeeper_files.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/consensus/state.hpp"

namespace bough::safekeeper::segment {

inline constexpr std::uint32_t kControlFileVersion = 3;
inline constexpr std::size_t kControlFileBytesMax = 1 << 20;

struct ControlFile {
    ProjectId project;
    BranchId branch;
    SystemId system_id;
    std::uint32_t segment_bytes = 0;
    std::optional<BranchId> parent;  // whose WAL precedes start_lsn in the first segment
    Lsn start_record;                // start of the record that ends at the branch's start_lsn
    consensus::Durable consensus;

    // Where the log on disk begins: at the branch's start at first, later at the end of a record below which segments were dropped,
    // and that record's start.
    Lsn log_begin;
    Lsn log_begin_record;
    Lsn durable_lsn;  // how far the pageserver has the branch durably, as it was told last; 0/0: not told yet

    // A record end at or below what was durable when this was written, and that record's start: where the scan for the log's
    // end begins. Written lazily.
    Lsn scan_lsn;
    Lsn scan_record;

    bool operator==(const ControlFile&) const = default;
};

std::string encode_control_file(const ControlFile& control);
// Reads version 2 too, whose logs begin at the branch's start, and version 1, whose peers have no names and which has no configuration.
// unsupported: of another version. corrupt: anything else that is wrong with it.
Result<ControlFile> decode_control_file(std::string_view bytes);

}  // namespace bough::safekeeper::segment
