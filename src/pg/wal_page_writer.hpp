// Lays records into WAL pages as Postgres does: aligned, broken at page ends, with page headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::pg {

class WalPageWriter {
public:
    struct Placement {
        Lsn start;  // of the record's header
        Lsn end;    // as WalRecord::end
    };

    // Writes begin at `begin`: a record's end, or a place where a record may begin. `prefix` holds what is known of the bytes
    // from the start of begin's segment on, at most up to `begin`; what is missing is zero, but for the page headers that a
    // reader of later records must see (that of the segment and that of begin's page), which are made so that a reader from
    // the start of begin's page on finds the records written here.
    // ErrorCode::invalid_argument when no record can end or begin at `begin`.
    static Result<WalPageWriter> open(SystemId system_id, std::uint32_t segment_bytes, std::uint32_t timeline, Lsn begin,
                                      std::span<const std::byte> prefix);

    // Where a record appended now would begin.
    Lsn next_start() const;

    Placement append(std::span<const std::byte> record);

    // What an XLOG_SWITCH record does after itself: zeros, page headers among them, to the segment's end.
    void fill_segment();

    Lsn begin() const { return first_; }                // of bytes(): the start of a segment
    Lsn end() const { return first_ + bytes_.size(); }  // just past what was written, aligned
    const std::vector<std::byte>& bytes() const { return bytes_; }

private:
    WalPageWriter(SystemId system_id, std::uint32_t segment_bytes, std::uint32_t timeline, Lsn first);
    void write_page_header(Lsn page, std::size_t remaining_bytes);

    SystemId system_id_;
    std::uint32_t segment_bytes_;
    std::uint32_t timeline_;
    Lsn first_;
    std::vector<std::byte> bytes_;
};

}  // namespace bough::pg
