#include "pageserver/basebackup/replication_origins_file.hpp"

#include <span>

#include "base/crc32c.hpp"
#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kMagic = 0x1257DADE;  // REPLICATION_STATE_MAGIC
constexpr std::size_t kPaddingBytes = 6;      // of ReplicationStateOnDisk, between the origin and its LSN

}  // namespace

std::string encode_replication_origins(const std::map<std::uint16_t, OriginProgress>& origins) {
    std::string file;
    append_le(file, kMagic);
    for (const auto& [origin, progress] : origins) {
        append_le(file, origin);
        file.append(kPaddingBytes, '\0');
        append_le(file, progress.remote.value);
    }
    append_le(file, crc32c(std::as_bytes(std::span(file))));
    return file;
}

}  // namespace bough::pageserver
