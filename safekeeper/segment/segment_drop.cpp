#include "safekeeper/segment/segment_drop.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "bough/check.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

// The first record that begins in [begin, limit), a segment's beginning, and ends at or below `limit`.
Result<std::optional<RecordBoundary>> first_record(const WalPlace& place, Lsn begin, Lsn limit) {
    auto stream = pg::WalStream::from_page(place.geometry(), begin);
    WalReader reader{place};
    std::vector<std::byte> buffer(kReadBytes);
    for (Lsn from = begin; from < limit;) {
        auto wanted = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), limit - from));
        BOUGH_ASSIGN(auto got, reader.read(from, wanted));
        stream.feed(wanted.first(got));
        from = from + got;
        BOUGH_ASSIGN(auto record, stream.next());
        if (record) return std::optional<RecordBoundary>{{record->end, record->start}};
    }
    return std::optional<RecordBoundary>{};
}

}  // namespace

Result<std::optional<RecordBoundary>> find_drop_point(const WalPlace& place, RecordBoundary begin, Lsn limit) {
    auto first = place.segment_at(begin.end);
    auto last = place.segment_at(limit);
    // In the segment of `limit` there may be no such record; one that fills several segments is waited for.
    for (auto segment = last; segment.value > first.value && segment.value + 2 > last.value; --segment.value) {
        BOUGH_ASSIGN(auto found, first_record(place, place.begin_of(segment), limit));
        if (found) {
            BOUGH_CHECK(found->end > begin.end && found->end <= limit);
            return found;
        }
    }
    return std::optional<RecordBoundary>{};
}

Result<Dropped> drop_segments_below(const WalPlace& place, Lsn begin) {
    auto kept = place.segment_at(begin);
    std::vector<std::uint64_t> doomed;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(place.directory, error)) {
        auto name = pg::parse_wal_segment_name(entry.path().filename().string(), place.segment_bytes);
        if (name && name->segment.value < kept.value) doomed.push_back(name->segment.value);
    }
    if (error) return io_error("could not read \"" + place.directory.string() + "\"", error.value());
    Dropped dropped;
    std::sort(doomed.begin(), doomed.end());
    for (auto number : doomed) {
        auto path = place.path_of(pg::SegmentNumber{number});
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0) dropped.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("could not remove \"" + path.string() + "\"", errno);
        ++dropped.segments;
    }
    if (!doomed.empty()) sync_directory(place.directory);
    return dropped;
}

}  // namespace bough::safekeeper::segment
