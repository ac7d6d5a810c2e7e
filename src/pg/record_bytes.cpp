#include "pg/record_bytes.hpp"

#include "base/crc32c.hpp"
#include "pg/bytes.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg {
namespace {

constexpr std::uint8_t kDataShort = 255;
constexpr std::uint8_t kDataLong = 254;

}  // namespace

std::uint32_t record_crc(std::span<const std::byte> record) {
    const auto body = record.subspan(sizeof(WalRecordHeader));
    return crc32c_extend(crc32c(body), record.first(offsetof(WalRecordHeader, crc)));
}

std::string make_record(std::uint8_t resource_manager, std::uint8_t info, std::uint32_t xid, Lsn previous,
                        std::span<const std::byte> main_data) {
    std::string record(sizeof(WalRecordHeader), '\0');
    if (main_data.size() > 255) {
        append(record, kDataLong);
        append(record, static_cast<std::uint32_t>(main_data.size()));
    } else if (!main_data.empty()) {
        append(record, kDataShort);
        append(record, static_cast<std::uint8_t>(main_data.size()));
    }
    record.append(as_text(main_data));

    WalRecordHeader header{};
    header.total_bytes = static_cast<std::uint32_t>(record.size());
    header.xid = xid;
    header.previous = previous.value;
    header.info = info;
    header.resource_manager = resource_manager;
    auto* at = reinterpret_cast<std::byte*>(record.data());
    store(at, header);
    header.crc = record_crc(as_bytes(record));
    store(at, header);
    return record;
}

}  // namespace bough::pg
