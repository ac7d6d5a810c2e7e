// Reads a branch's WAL from its segment files. Any number of readers beside one writer; each keeps one file open.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "bough/error.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

class WalReader {
public:
    explicit WalReader(WalPlace place) : place_(std::move(place)) {}

    // Reads from `from` on, at most to the end of its segment; gives how many bytes. Never zero for a non-empty `into`.
    // What lies beyond the log's end is zeros or garbage: that the caller knows where it ends. not_found: the segment is not
    // (or no longer) here; corrupt: its file ends before `from`.
    Result<std::size_t> read(Lsn from, std::span<std::byte> into);

    // All of [from, from + into.size()), over as many segments as it takes.
    Result<void> read_all(Lsn from, std::span<std::byte> into);

private:
    WalPlace place_;
    FileDescriptor file_;
    std::optional<pg::SegmentNumber> open_;
};

}  // namespace bough::safekeeper::segment
