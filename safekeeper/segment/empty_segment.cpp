#include "safekeeper/segment/empty_segment.hpp"

#include "pg/wal_format.hpp"
#include "pg/wal_page_writer.hpp"

namespace bough::safekeeper::segment {

std::vector<std::byte> empty_segment_header(const WalPlace& place, pg::SegmentNumber segment) {
    Lsn first_record = place.begin_of(segment) + sizeof(pg::WalLongPageHeader);
    return pg::WalPageWriter::open(place.system_id, place.segment_bytes, 1, first_record, {}).value().bytes();
}

}  // namespace bough::safekeeper::segment
