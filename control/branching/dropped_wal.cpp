#include "control/branching/dropped_wal.hpp"

#include "pg/wal_format.hpp"

namespace bough::control {

Lsn last_place_for_an_end(Lsn lsn, std::uint32_t segment_bytes) {
    constexpr std::uint64_t kAlignment = 8;
    auto page = lsn.value / pg::kWalPageBytes * pg::kWalPageBytes;
    // A record that fills the page before ends at its end; one that goes on here has some bytes behind the header.
    if (lsn.value - page <= pg::wal_page_header_bytes(page, segment_bytes)) return Lsn{page};
    return Lsn{lsn.value / kAlignment * kAlignment};
}

}  // namespace bough::control
