#include "pg/page_header.hpp"

#include <algorithm>

#include "bough/check.hpp"

namespace bough::pg {

void init_page(Page page, std::size_t special_bytes) {
    BOUGH_CHECK(special_bytes % kMaxAlign == 0 && special_bytes < kPageBytes);
    std::ranges::fill(page, std::byte{0});
    PageHeader header{};
    header.lower = sizeof(PageHeader);
    header.upper = header.special = static_cast<std::uint16_t>(kPageBytes - special_bytes);
    header.page_size_version = kPageBytes | kPageLayoutVersion;
    store(page.data(), header);
}

}  // namespace bough::pg
