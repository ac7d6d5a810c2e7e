// The log of one branch on this safekeeper's disk: what of it is whole and durable, and how it grows and is cut.
//
// On disk: standard segment files, full size, of which everything behind the log's end is zeros or a part of the next record
// (of the same term). A crash leaves a log that ends at or behind what was synced; recover() finds where, by reading records.
#pragma once

#include <optional>
#include <span>

#include "bough/error.hpp"
#include "pg/wal_stream.hpp"
#include "safekeeper/consensus/state.hpp"
#include "safekeeper/segment/record_search.hpp"
#include "safekeeper/segment/wal_place.hpp"
#include "safekeeper/segment/wal_writer.hpp"

namespace bough::safekeeper::segment {

// Used by one thread at a time. Idle, it holds no file open.
class WalLog {
public:
    // `begin`: a record end, and that record's start, from which on the log is on this disk. At first that is where the branch
    // begins in its parent.
    WalLog(WalPlace place, RecordBoundary begin, Preallocator& preallocator);

    // After a start: finds the end from `known` (a record end that was durable, and that record's start) on, and makes durable
    // what it counts. corrupt: that record is not there.
    Result<void> recover(RecordBoundary known);

    const consensus::LogPosition& position() const { return position_; }
    const WalPlace& place() const { return place_; }
    RecordBoundary begin() const { return begin_; }
    // What is below is not looked at any more. REQUIRES a record boundary between begin() and the end. Also while a thread receives:
    // that one looks at the end only.
    void set_begin(RecordBoundary begin);
    // An empty log that begins there, whatever was here before. REQUIRES that nothing is being received.
    void restart_at(RecordBoundary begin);

    // Gets ready to take the bytes that follow position().end, which is where the sender is to begin.
    Result<void> begin_receiving();

    // Takes the bytes at `at`, which must follow those before. They are checked first: corrupt bytes are not written. After an
    // error, begin_receiving() again.
    Result<void> append(Lsn at, std::span<const std::byte> bytes);

    // Where the next bytes go.
    Lsn next() const { return next_; }

    // Makes durable what was appended; position() then covers it.
    const consensus::LogPosition& sync();

    // Durably ends the log at `at`, a record end in it or its end. corrupt when it is not one; nothing is changed then. Where cutting fails
    // half way the process is aborted: a restart finds what is left.
    Result<void> cut(Lsn at);

    // Closes the file. REQUIRES sync() after the last append().
    void close();

private:
    WalPlace place_;
    RecordBoundary begin_;
    WalWriter writer_;
    consensus::LogPosition position_;
    std::optional<Lsn> clean_from_;  // there are only zeros from here on; nothing: unknown
    Lsn next_;
    RecordBoundary appended_;                // the last whole record written, synced or not
    std::optional<pg::WalStream> incoming_;  // checks what is appended; nothing: not receiving
};

}  // namespace bough::safekeeper::segment
