#include "pg/page_header.hpp"

#include <algorithm>

namespace bough::pg {

void init_page(Page page) {
    std::ranges::fill(page, std::byte{0});
    PageHeader header{};
    header.lower = sizeof(PageHeader);
    header.upper = kPageBytes;
    header.special = kPageBytes;
    header.page_size_version = kPageBytes | kPageLayoutVersion;
    store(page.data(), header);
}

}  // namespace bough::pg
