#include <array>
#include <cstring>

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include "pg/bytes.hpp"
#include "pg/page_header.hpp"
#include "pg/pglz.hpp"
#include "pg/v15/record.hpp"
#include "pg/v15/record_format.hpp"

namespace bough::pg::v15 {
namespace {

// True when `compressed` gives exactly out.size() bytes.
bool decompress(std::uint8_t info, std::span<const std::byte> compressed, std::span<std::byte> out) {
    if ((info & kImagePglz) != 0) return pglz_decompress(compressed, out);
    if ((info & kImageLz4) != 0) {
        const int length =
            LZ4_decompress_safe(reinterpret_cast<const char*>(compressed.data()), reinterpret_cast<char*>(out.data()),
                                static_cast<int>(compressed.size()), static_cast<int>(out.size()));
        return length >= 0 && static_cast<std::size_t>(length) == out.size();
    }
    const std::size_t length = ZSTD_decompress(out.data(), out.size(), compressed.data(), compressed.size());
    return ZSTD_isError(length) == 0 && length == out.size();
}

}  // namespace

Result<void> restore_image(const Record& record, const BlockReference& block, Page page) {
    if (!block.has_image) return record.corrupt(fmt::format("block reference {} has no page image", block.id));
    const std::size_t without_hole = kPageBytes - block.hole_bytes;
    std::array<std::byte, kPageBytes> decompressed;
    std::span<const std::byte> image = block.image;
    if ((block.image_info & kImageCompressed) != 0) {
        const auto out = std::span(decompressed).first(without_hole);
        if (!decompress(block.image_info, image, out))
            return record.corrupt(fmt::format("the page image of block reference {} does not decompress", block.id));
        image = out;
    }
    std::memcpy(page.data(), image.data(), block.hole_offset);
    std::memset(page.data() + block.hole_offset, 0, block.hole_bytes);
    std::memcpy(page.data() + block.hole_offset + block.hole_bytes, image.data() + block.hole_offset,
                without_hole - block.hole_offset);
    if (!page_is_new(page)) set_page_lsn(page, record.end());
    return {};
}

bool is_plain_image(const BlockReference& block) {
    if (!block.has_image || (block.image_info & kImageCompressed) != 0 || block.hole_bytes == 0) return false;
    if (block.hole_offset < sizeof(PageHeader)) return false;
    // The LSN of one that was not initialised stays.
    return load<std::uint16_t>(block.image.data() + offsetof(PageHeader, upper)) != 0;
}

}  // namespace bough::pg::v15
