// Turns the bytes of a WAL stream into records, across page and segment boundaries.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "pg/wal_record.hpp"

namespace bough::pg {

struct WalGeometry {
    std::uint32_t segment_bytes = 16u << 20;
    std::optional<SystemId> system_id;  // when set, long page headers must carry it
};

// Fed with consecutive bytes, gives consecutive records. Checks page headers, record headers, the prev chain and CRCs; what
// breaks them is ErrorCode::corrupt naming the LSN, and the stream is then over: next() gives the same error again. Zeros where
// a record should begin (the unwritten rest of a preallocated segment) are corrupt too, so feed only what was written.
//
// A record is given once everything up to its `end` was fed: alignment padding too and, for a record that switches to the next
// segment, the rest of its segment. So record_end() <= fed_end() always. A record whose continuation the log says was lost
// (its writer crashed, and the next page overwrites it) is passed over silently, as Postgres does.
//
// Memory: what was fed and not yet consumed by next(), and one record. Not thread-safe.
class WalStream {
public:
    // `begin` is where a record begins or where the end of the record before it lies (so a page boundary is allowed).
    // The bytes fed first are those at `begin`.
    WalStream(WalGeometry geometry, Lsn begin);

    // For a position inside the log of which no record boundary is known: skips the rest of a record that crosses into the
    // page at `page_begin` (a page boundary).
    static WalStream from_page(WalGeometry geometry, Lsn page_begin);

    WalStream(WalStream&&) noexcept;
    WalStream& operator=(WalStream&&) noexcept;
    ~WalStream();

    void feed(std::span<const std::byte> bytes);

    // The next whole record, or nothing until more is fed. Its bytes are valid until the next call of next() or feed().
    Result<std::optional<WalRecord>> next();

    Lsn fed_end() const;            // just past the last byte fed
    Lsn record_end() const;         // end of the last record given (or `begin`)
    Lsn last_record_start() const;  // start of the last record given; 0/0 before the first

private:
    class Impl;
    explicit WalStream(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pg
