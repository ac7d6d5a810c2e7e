// Any bytes as pg_control, with the checksum made right for half of them.
#include <vector>

#include "base/crc32c.hpp"
#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/v15/version.hpp"

using namespace bough;
using namespace bough::pg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
    if (size >= sizeof(v15::ControlFileData) && (data[0] & 1) == 0) {
        store(bytes.data() + offsetof(v15::ControlFileData, control_version), v15::kControlFileVersion);
        store(bytes.data() + offsetof(v15::ControlFileData, catalog_version), v15::kCatalogVersion);
        const std::size_t crc_at = offsetof(v15::ControlFileData, crc);
        store(bytes.data() + crc_at, crc32c(std::span(bytes).first(crc_at)));
    }
    const auto file = v15::ControlFile::parse(bytes);
    if (!file) return 0;
    const auto again = v15::ControlFile::parse(as_bytes(file->encode()));
    BOUGH_CHECK(again && again->counters() == file->counters() && again->parameters() == file->parameters());
    const auto made = file->with_shutdown_checkpoint(Lsn{0x5000028}, file->counters(), file->parameters(), SystemId{1});
    BOUGH_CHECK(v15::ControlFile::parse(as_bytes(made.encode())));
    return 0;
}
