#include "safekeeper/segment/wal_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include "bough/check.hpp"
#include "pg/wal_format.hpp"
#include "safekeeper/segment/empty_segment.hpp"

namespace bough::safekeeper::segment {
namespace {

// The next segment is asked for when this part of the current one is full: early enough that it is there in time, late
// enough that a branch which writes little does not take the space of two.
constexpr std::uint32_t kPreallocateAtQuarters = 1;
constexpr std::uint64_t kZeroStepBytes = kUnsyncedBytesMax / 2;

bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Result<void> WalWriter::open(pg::SegmentNumber segment) {
    if (open_ == segment) return {};
    // What was written to the segment before is not forgotten.
    if (unsynced_) sync();
    file_.close();
    open_.reset();
    path_ = place_.path_of(segment);
    auto opened = open_file(path_, O_RDWR);
    bool made = !opened && opened.error().code == ErrorCode::not_found;
    if (made) {
        opened = open_file(path_, O_RDWR | O_CREAT);
        unsynced_ = true;
    }
    if (!opened) return opened.error();
    file_ = std::move(*opened);
    if (made) BOUGH_TRY(write_at(file_.get(), empty_segment_header(place_, segment), 0, path_));
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) return io_error("could not stat \"" + path_.string() + "\"", errno);
    if (static_cast<std::uint64_t>(status.st_size) < place_.segment_bytes) {
        if (::ftruncate(file_.get(), place_.segment_bytes) != 0)
            return disk_error("could not extend \"" + path_.string() + "\"", errno);
        unsynced_ = true;
    }
    // The preallocator may have given the file its name and not have synced that yet.
    new_name_ = true;
    open_ = segment;
    return {};
}

Result<void> WalWriter::prepare(Lsn at) {
    auto segment = place_.segment_at(at);
    BOUGH_TRY(open(segment));
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) return io_error("could not stat \"" + path_.string() + "\"", errno);
    if (static_cast<std::uint64_t>(status.st_blocks) * 512 >= place_.segment_bytes) return {};
    // The header of an empty segment stays.
    auto from = std::max<std::uint64_t>(place_.offset_of(at), sizeof(pg::WalLongPageHeader));
    BOUGH_TRY(write_zeros(file_.get(), from, place_.segment_bytes, path_));
    unsynced_ = true;
    sync();
    return {};
}

Result<void> WalWriter::write(Lsn at, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        auto segment = place_.segment_at(at);
        BOUGH_TRY(open(segment));
        auto offset = place_.offset_of(at);
        if (unsynced_bytes_ == kUnsyncedBytesMax) sync();
        auto part = bytes.first(
            std::min<std::size_t>({bytes.size(), place_.segment_bytes - offset, kUnsyncedBytesMax - unsynced_bytes_}));
        unsynced_ = true;
        unsynced_bytes_ += part.size();
        BOUGH_TRY(write_at(file_.get(), part, offset, path_));
        pg::SegmentNumber next{segment.value + 1};
        if (offset + part.size() >= place_.segment_bytes / 4 * kPreallocateAtQuarters && requested_ != next) {
            requested_ = next;
            preallocator_.request(place_, next);
        }
        at = at + part.size();
        bytes = bytes.subspan(part.size());
    }
    return {};
}

void WalWriter::sync() {
    if (!unsynced_) return;
    if (open_) sync_wal(file_.get(), path_);
    if (new_name_) sync_directory(place_.directory);
    unsynced_ = new_name_ = false;
    unsynced_bytes_ = 0;
}

void WalWriter::close() {
    BOUGH_CHECK(!unsynced_);
    file_.close();
    open_.reset();
    requested_.reset();
}

Result<void> WalWriter::cut(Lsn at, std::optional<Lsn> clean_from) {
    sync();
    close();
    if (clean_from && *clean_from <= at) return {};
    BOUGH_TRY(remove_segments_from(at));
    if (place_.offset_of(at) != 0) BOUGH_TRY(zero_rest_of_segment(at, clean_from));
    return {};
}

// Those that begin at or after `at`, newest first, so that a crash leaves no gap before one that stays.
Result<void> WalWriter::remove_segments_from(Lsn at) {
    std::vector<std::uint64_t> doomed;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(place_.directory, error)) {
        auto name = pg::parse_wal_segment_name(entry.path().filename().string(), place_.segment_bytes);
        if (name && place_.begin_of(name->segment) >= at) doomed.push_back(name->segment.value);
    }
    if (error) return io_error("could not read \"" + place_.directory.string() + "\"", error.value());
    if (doomed.empty()) return {};
    std::sort(doomed.begin(), doomed.end(), std::greater<>());
    for (auto number : doomed) {
        auto path = place_.path_of(pg::SegmentNumber{number});
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("could not remove \"" + path.string() + "\"", errno);
    }
    sync_directory(place_.directory);
    return {};
}

Result<void> WalWriter::zero_rest_of_segment(Lsn at, std::optional<Lsn> clean_from) {
    auto segment = place_.segment_at(at);
    auto path = place_.path_of(segment);
    auto opened = open_file(path, O_RDWR);
    if (!opened && opened.error().code == ErrorCode::not_found) return {};  // nothing was ever written there
    if (!opened) return opened.error();
    std::uint64_t begin = place_.offset_of(at), end = place_.segment_bytes;
    if (clean_from && place_.segment_at(*clean_from) == segment) end = place_.offset_of(*clean_from);
    // From the end backwards, each step durable before the next: what a crash leaves is the beginning of the old tail, and remains
    // of it no further behind that than a crash while writing leaves any.
    std::vector<std::byte> chunk(kZeroStepBytes);
    while (end > begin) {
        auto wanted = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), end - begin));
        end -= wanted.size();
        BOUGH_ASSIGN(auto got, read_at(opened->get(), wanted, end, path));  // a shorter file has nothing behind its end
        if (all_zero(wanted.first(got))) continue;
        BOUGH_TRY(write_zeros(opened->get(), end, end + got, path));
        sync_file(opened->get(), path);
    }
    return {};
}

}  // namespace bough::safekeeper::segment
