#include "pg/change.hpp"

#include <algorithm>
#include <array>

#include "pg/page_header.hpp"

namespace bough::pg {

void ChangeSink::page_image_without_hole(const PageTag& tag, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn) {
    std::array<std::byte, kPageBytes> page{};
    std::ranges::copy(bytes.first(hole_begin), page.begin());
    std::ranges::copy(bytes.subspan(hole_begin), page.end() - static_cast<std::ptrdiff_t>(bytes.size() - hole_begin));
    set_page_lsn(page, lsn);
    page_image(tag, page);
}

}  // namespace bough::pg
