// Any bytes as edits of a page.
#include <array>

#include "pg/bytes.hpp"
#include "pg/page_edit.hpp"

using namespace bough;
using namespace bough::pg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader input(std::span(reinterpret_cast<const std::byte*>(data), size));
    const auto mode = input.take<std::uint8_t>();
    std::array<std::byte, kPageBytes> page;
    page.fill((mode & 0x80) != 0 ? std::byte{0} : std::byte{0xFF});
    const auto edits = as_text(input.rest());
    if (mode % 5 == 4)
        (void)apply_page_edits(page, edits, Lsn{0x1234});
    else
        (void)apply_slru_edits(page, static_cast<Slru>(mode % 5), edits);
    return 0;
}
