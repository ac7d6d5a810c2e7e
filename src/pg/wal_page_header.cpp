#include "pg/wal_page_header.hpp"

#include <fmt/format.h>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/v15/version.hpp"

namespace bough::pg {
namespace {

Error corrupt(Lsn page, std::string what) {
    return Error{ErrorCode::corrupt, fmt::format("WAL page at {}: {}", page.to_string(), what), {}};
}

}  // namespace

Result<WalPageHeader> read_wal_page_header(const WalGeometry& geometry, Lsn page, std::span<const std::byte> bytes) {
    BOUGH_CHECK(bytes.size() >= wal_page_header_bytes(page.value, geometry.segment_bytes));
    const auto header = load<WalPageHeader>(bytes.data());
    if (header.magic != v15::kWalPageMagic)
        return corrupt(page,
                       fmt::format("invalid magic number {:04X} where {:04X} is expected", header.magic, v15::kWalPageMagic));
    if ((header.info & ~kWalPageAllFlags) != 0) return corrupt(page, fmt::format("invalid info bits {:04X}", header.info));
    if (header.page_address != page.value)
        return corrupt(page, fmt::format("its header has the address {}", Lsn{header.page_address}.to_string()));

    const bool first_of_segment = page.value % geometry.segment_bytes == 0;
    if (((header.info & kWalPageLongHeader) != 0) != first_of_segment)
        return corrupt(page, first_of_segment ? "a segment begins without a long header" : "a long header inside a segment");
    if (!first_of_segment) return header;

    const auto long_header = load<WalLongPageHeader>(bytes.data());
    if (geometry.system_id && long_header.system_id != geometry.system_id->value)
        return corrupt(page, fmt::format("belongs to the system {}, not {}", long_header.system_id, geometry.system_id->value));
    if (long_header.segment_bytes != geometry.segment_bytes)
        return corrupt(page,
                       fmt::format("segment size {} where {} is expected", long_header.segment_bytes, geometry.segment_bytes));
    if (long_header.page_bytes != kWalPageBytes)
        return corrupt(page, fmt::format("page size {} where {} is expected", long_header.page_bytes, kWalPageBytes));
    return header;
}

}  // namespace bough::pg
