#include "safekeeper/segment/first_segment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

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
    BOUGH_ASSIGN(auto file, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    BOUGH_TRY(write_at(file.get(), prefix, 0, temporary));
    if (::ftruncate(file.get(), place.segment_bytes) != 0)
        return io_error("could not extend \"" + temporary.string() + "\"", errno);
    sync_file(file.get(), temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("could not rename \"" + temporary.string() + "\"", errno);
    sync_directory(place.directory);
    return {};
}

}  // namespace bough::safekeeper::segment
