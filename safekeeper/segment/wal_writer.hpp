// Writes WAL bytes into segment files and makes them durable. Knows nothing of records.
#pragma once

#include <optional>
#include <span>

#include "bough/error.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/preallocator.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// Keeps one segment open; asks for the next one ahead of need. Used by one thread at a time.
class WalWriter {
public:
    WalWriter(WalPlace place, Preallocator& preallocator) : place_(std::move(place)), preallocator_(preallocator) {}

    // Opens the segment of `at` and fills what of it behind `at` has no blocks yet with zeros, durably: writing then overwrites.
    Result<void> prepare(Lsn at);

    // After an error a part may be written. Nothing is sure to be durable before sync().
    Result<void> write(Lsn at, std::span<const std::byte> bytes);

    // All that was written is durable, the names of new files too. Aborts the process where that fails.
    void sync();

    // REQUIRES that nothing was written since sync().
    void close();

    // Makes `at` the end: later segments are removed, what is behind `at` in its segment is zeroed, durably. All behind
    // `clean_from` is known to be zeros (or unknown, then all is looked at).
    Result<void> cut(Lsn at, std::optional<Lsn> clean_from);

private:
    Result<void> open(pg::SegmentNumber segment);
    Result<void> remove_segments_from(Lsn at);
    Result<void> zero_rest_of_segment(Lsn at, std::optional<Lsn> clean_from);

    WalPlace place_;
    Preallocator& preallocator_;
    FileDescriptor file_;
    std::filesystem::path path_;  // of file_: each write and sync may have to name it
    std::optional<pg::SegmentNumber> open_;
    std::optional<pg::SegmentNumber> requested_;  // of the preallocator, last
    bool unsynced_ = false;
    std::uint64_t unsynced_bytes_ = 0;  // at most kUnsyncedBytesMax
    bool new_name_ = false;             // the directory is to be synced too
};

}  // namespace bough::safekeeper::segment
