// Any bytes as pglz-compressed data, for outputs of any length up to a page.
#include <vector>

#include "pg/bytes.hpp"
#include "pg/pglz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bough::pg::ByteReader input(std::span(reinterpret_cast<const std::byte*>(data), size));
    std::vector<std::byte> out(input.take<std::uint16_t>() % 8193);
    (void)bough::pg::pglz_decompress(input.rest(), out);
    return 0;
}
