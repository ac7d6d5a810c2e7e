#include "pg/pglz.hpp"

#include <algorithm>
#include <cstdint>

namespace bough::pg {
namespace {

// The stream is groups of eight items behind a control byte whose bits, lowest first, say for each: 0, a literal byte; 1, a
// match: two bytes with a 12-bit distance back and a length of 3 to 17, or of 18 and more with a third byte.
constexpr std::size_t kMatchBytesMin = 3;
constexpr std::size_t kMatchExtended = 18;

struct Input {
    std::span<const std::byte> bytes;
    std::size_t at = 0;

    std::size_t left() const { return bytes.size() - at; }
    std::uint8_t take() { return static_cast<std::uint8_t>(bytes[at++]); }
};

// Copies a match and moves `filled` on; false when it is invalid.
bool copy_match(Input& in, std::span<std::byte> out, std::size_t& filled) {
    if (in.left() < 2) return false;
    const std::uint8_t first = in.take();
    const std::size_t distance = std::size_t{first & 0xF0u} << 4 | in.take();
    std::size_t length = (first & 0x0Fu) + kMatchBytesMin;
    if (length == kMatchExtended) {
        if (in.left() < 1) return false;
        length += in.take();
    }
    if (distance == 0 || distance > filled) return false;
    // A match that would run over the end is cut there, as Postgres does. It may overlap its source, so byte by byte.
    length = std::min(length, out.size() - filled);
    for (; length > 0; --length, ++filled) out[filled] = out[filled - distance];
    return true;
}

}  // namespace

bool pglz_decompress(std::span<const std::byte> compressed, std::span<std::byte> out) {
    Input in{compressed};
    std::size_t filled = 0;
    while (in.left() > 0 && filled < out.size()) {
        std::uint8_t control = in.take();
        for (int item = 0; item < 8 && in.left() > 0 && filled < out.size(); ++item, control >>= 1) {
            if ((control & 1) == 0)
                out[filled++] = static_cast<std::byte>(in.take());
            else if (!copy_match(in, out, filled))
                return false;
        }
    }
    return in.left() == 0 && filled == out.size();
}

}  // namespace bough::pg
