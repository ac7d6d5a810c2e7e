#include "safekeeper/segment/record_search.hpp"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "pg/wal_format.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kSegmentBeginningBytes = 64 << 10;

RecordBoundary last_of(const pg::WalStream& stream, RecordBoundary otherwise) {
    if (!stream.last_record_start().valid()) return otherwise;
    return {stream.record_end(), stream.last_record_start()};
}

// Passes over the records in [from, at); gives the last, if there is one that ends at or before `at`.
Result<std::optional<RecordBoundary>> last_in(const WalPlace& place, pg::WalStream stream, Lsn from, Lsn at) {
    std::optional<RecordBoundary> last;
    WalReader reader{place};
    std::vector<std::byte> buffer(kReadBytes);
    while (from < at) {
        auto wanted = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), at - from));
        BOUGH_ASSIGN(auto got, reader.read(from, wanted));
        stream.feed(wanted.first(got));
        from = from + got;
        for (;;) {
            BOUGH_ASSIGN(auto record, stream.next());
            if (!record) break;
            last = RecordBoundary{record->end, record->start};
        }
    }
    return last;
}

// Whether WAL was ever written to the segment file: it begins at the segment's beginning, and what is preallocated has nothing behind
// the first header.
Result<bool> has_wal(const WalPlace& place, pg::SegmentNumber segment) {
    std::vector<std::byte> beginning(kSegmentBeginningBytes);
    auto path = place.path_of(segment);
    BOUGH_ASSIGN(auto file, open_file(path, O_RDONLY));
    BOUGH_ASSIGN(auto got, read_at(file.get(), beginning, 0, path));
    auto from = std::min(got, sizeof(pg::WalLongPageHeader));
    return std::any_of(beginning.begin() + static_cast<std::ptrdiff_t>(from), beginning.begin() + static_cast<std::ptrdiff_t>(got),
                       [](std::byte b) { return b != std::byte{0}; });
}

// Whether anything was ever written at `from` or behind it in its segment.
Result<bool> anything_from(const WalPlace& place, Lsn from) {
    auto end = place.begin_of({place.segment_at(from).value + 1});
    WalReader reader{place};
    std::vector<std::byte> buffer(kReadBytes);
    while (from < end) {
        auto got = reader.read(from, buffer);
        // A file that was cut short has nothing there.
        if (!got && got.error().code != ErrorCode::io) return false;
        if (!got) return got.error();
        if (std::any_of(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got), [](std::byte b) { return b != std::byte{0}; })) return true;
        from = from + *got;
    }
    return false;
}

// The log was found to end at `end` because of what the segment `broken` holds below `seen`, or that it is not there.
Result<RecordBoundary> ends_unless_more_follows(const WalPlace& place, RecordBoundary end, pg::SegmentNumber broken, Lsn seen) {
    if (auto beyond = seen + kUnsyncedBytesMax; place.segment_at(beyond) == broken) {
        BOUGH_ASSIGN(bool more, anything_from(place, beyond));
        if (more) {
            return Error{ErrorCode::corrupt,
                         "WAL is damaged after " + end.end.to_string() + ": segment " + place.name_of(broken) + " has more of it behind " +
                             beyond.to_string(),
                         "this safekeeper's disk has lost data; put the segment right or replace the safekeeper"};
        }
    }
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(place.directory, failed)) {
        auto name = pg::parse_wal_segment_name(entry.path().filename().string(), place.segment_bytes);
        if (!name || name->segment.value <= broken.value) continue;
        BOUGH_ASSIGN(bool more, has_wal(place, name->segment));
        if (!more) continue;
        return Error{ErrorCode::corrupt,
                     "WAL is damaged after " + end.end.to_string() + ": segment " + place.name_of(broken) + " breaks it off, segment " +
                         place.name_of(name->segment) + " has more of it",
                     "this safekeeper's disk has lost data; put the segment right or replace the safekeeper"};
    }
    if (failed) return io_error("could not read \"" + place.directory.string() + "\"", failed.value());
    return end;
}

}  // namespace

Result<RecordBoundary> find_log_end(const WalPlace& place, RecordBoundary known) {
    pg::WalStream stream(place.geometry(), known.end);
    WalReader reader{place};
    std::vector<std::byte> buffer(kReadBytes);
    for (Lsn from = known.end;;) {
        auto got = reader.read(from, buffer);
        // No further segment, or one that was cut short: the log ends before it.
        if (!got && got.error().code != ErrorCode::io) return ends_unless_more_follows(place, last_of(stream, known), place.segment_at(from), from);
        if (!got) return got.error();
        auto segment = place.segment_at(from);  // one read never goes beyond its segment
        stream.feed(std::span(buffer).first(*got));
        from = from + *got;
        for (;;) {
            auto record = stream.next();
            if (!record) return ends_unless_more_follows(place, last_of(stream, known), segment, from);
            if (!*record) break;
        }
    }
}

Result<RecordBoundary> find_boundary_from(const WalPlace& place, Lsn begin, Lsn at) {
    BOUGH_ASSIGN(auto last, last_in(place, pg::WalStream(place.geometry(), begin), begin, at));
    if (!last) return Error{ErrorCode::corrupt, "no record ends between " + begin.to_string() + " and " + at.to_string(), {}};
    return *last;
}

Result<RecordBoundary> find_boundary(const WalPlace& place, RecordBoundary log_begin, Lsn at) {
    if (at <= log_begin.end) return log_begin;
    // A record may end on the very beginning of a segment; then it is the segment before that has it.
    auto segment = place.segment_at(Lsn{at.value - 1});
    for (;; --segment.value) {
        Lsn begin = place.begin_of(segment);
        bool first = begin <= log_begin.end;
        auto stream = first ? pg::WalStream(place.geometry(), log_begin.end)
                            : pg::WalStream::from_page(place.geometry(), begin);
        BOUGH_ASSIGN(auto last, last_in(place, std::move(stream), first ? log_begin.end : begin, at));
        if (last) return *last;
        if (first) return log_begin;
    }
}

}  // namespace bough::safekeeper::segment
