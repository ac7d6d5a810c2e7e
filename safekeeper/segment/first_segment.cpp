#include "safekeeper/segment/first_segment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "bough/check.hpp"
#include "pg/wal_page_writer.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::uint32_t kTimeline = 1;  // computes never change it: branches have their own logs instead

Result<std::vector<std::byte>> made_prefix(const WalPlace& place, Lsn start_lsn) {
    BOUGH_ASSIGN(auto writer, pg::WalPageWriter::open(place.system_id, place.segment_bytes, kTimeline, start_lsn, {}));
    return writer.bytes();
}

Result<std::vector<std::byte>> copied_prefix(const WalPlace& parent, Lsn begin, Lsn start_lsn) {
    std::vector<std::byte> prefix(start_lsn - begin);
    WalReader reader{parent};
    BOUGH_TRY(reader.read_all(begin, prefix));
    return prefix;
}

// A whole segment that begins with `prefix`, durably, under a name of its own.
Result<void> write_segment(const WalPlace& place, std::span<const std::byte> prefix, const std::filesystem::path& path) {
    BOUGH_ASSIGN(auto file, open_file(path, O_WRONLY | O_CREAT | O_TRUNC));
    BOUGH_TRY(write_at(file.get(), prefix, 0, path));
    if (::ftruncate(file.get(), place.segment_bytes) != 0) return disk_error("could not extend \"" + path.string() + "\"", errno);
    sync_file(file.get(), path);
    return {};
}

Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return disk_error("could not rename \"" + from.string() + "\"", errno);
    sync_directory(to.parent_path());
    return {};
}

constexpr const char* kPreparedExtension = ".beginning";

}  // namespace

Result<void> make_first_segment(const WalPlace& place, Lsn start_lsn, const std::optional<WalPlace>& parent) {
    if (place.offset_of(start_lsn) == 0) return {};
    auto segment = place.segment_at(start_lsn);
    auto path = place.path_of(segment);
    if (::access(path.c_str(), F_OK) == 0) return {};

    std::vector<std::byte> prefix;
    if (parent) {
        BOUGH_ASSIGN(prefix, copied_prefix(*parent, place.begin_of(segment), start_lsn));
    } else {
        BOUGH_ASSIGN(prefix, made_prefix(place, start_lsn));
        prefix.resize(place.offset_of(start_lsn));
    }
    auto temporary = path;
    temporary += ".tmp";
    BOUGH_TRY(write_segment(place, prefix, temporary));
    return rename_durably(temporary, path);
}

Result<void> prepare_beginning(const WalPlace& place, Lsn begin, std::span<const std::byte> prefix) {
    BOUGH_CHECK(prefix.size() == place.offset_of(begin));
    if (prefix.empty()) return {};
    auto path = place.path_of(place.segment_at(begin));
    path += kPreparedExtension;
    BOUGH_TRY(write_segment(place, prefix, path));
    sync_directory(place.directory);
    return {};
}

Result<void> finish_beginning(const WalPlace& place, Lsn begin) {
    auto path = place.path_of(place.segment_at(begin));
    auto wanted = path;
    wanted += kPreparedExtension;
    std::vector<std::filesystem::path> prepared;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(place.directory, error))
        if (entry.path().extension() == kPreparedExtension) prepared.push_back(entry.path());
    if (error) return io_error("could not read \"" + place.directory.string() + "\"", error.value());
    for (const auto& file : prepared) {
        if (file == wanted) {
            BOUGH_TRY(rename_durably(file, path));
        } else if (::unlink(file.c_str()) != 0) {
            return io_error("could not remove \"" + file.string() + "\"", errno);
        }
    }
    return {};
}

}  // namespace bough::safekeeper::segment
