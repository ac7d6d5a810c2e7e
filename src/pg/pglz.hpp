// Postgres's own compression of page images and values ("pglz"): decompression only.
#pragma once

#include <cstddef>
#include <span>

namespace bough::pg {

// True when `compressed` is valid, used up exactly, and fills `out` exactly; `out` is unspecified otherwise. Reads and writes
// nothing outside the two, whatever the bytes.
bool pglz_decompress(std::span<const std::byte> compressed, std::span<std::byte> out);

}  // namespace bough::pg
