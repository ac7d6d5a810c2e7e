#include <algorithm>

#include "pg/bytes.hpp"
#include "pg/v15/record.hpp"
#include "pg/v15/record_format.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg::v15 {
namespace {

void append_block_header(std::string& out, const BlockReference& b, bool with_image) {
    append(out, b.id);
    append(out, static_cast<std::uint8_t>(with_image ? b.fork_flags : b.fork_flags & ~kBlockHasImage));
    append(out, static_cast<std::uint16_t>(b.data.size()));
    if (with_image) {
        append(out, static_cast<std::uint16_t>(b.image.size()));
        append(out, b.hole_offset);
        append(out, b.image_info);
        if ((b.image_info & kImageCompressed) != 0 && (b.image_info & kImageHasHole) != 0) append(out, b.hole_bytes);
    }
    if ((b.fork_flags & kBlockSameRelation) == 0) append(out, b.tag.fork.relation);
    append(out, b.tag.block);
}
static_assert(sizeof(Relation) == 12 && offsetof(Relation, database) == 4 && offsetof(Relation, number) == 8);

void append_data_header(std::string& out, std::span<const std::byte> main_data) {
    if (main_data.empty()) return;
    if (main_data.size() > 255) {
        append(out, kPartDataLong);
        append(out, static_cast<std::uint32_t>(main_data.size()));
    } else {
        append(out, kPartDataShort);
        append(out, static_cast<std::uint8_t>(main_data.size()));
    }
}

}  // namespace

std::span<const std::byte> record_for_page(const Record& record, const BlockReference& block, bool keep_image,
                                           std::string& buffer) {
    const auto keeps = [&](const BlockReference& b) { return b.has_image && keep_image && b.id == block.id; };
    if (std::ranges::all_of(record.blocks(), [&](const BlockReference& b) { return !b.has_image || keeps(b); }))
        return record.bytes();

    buffer.assign(as_text(record.bytes().first(sizeof(WalRecordHeader))));
    for (const BlockReference& b : record.blocks()) append_block_header(buffer, b, keeps(b));
    if (record.origin() != 0) {
        append(buffer, kPartOrigin);
        append(buffer, record.origin());
    }
    if (record.toplevel_xid() != 0) {
        append(buffer, kPartToplevelXid);
        append(buffer, record.toplevel_xid());
    }
    append_data_header(buffer, record.main_data());
    for (const BlockReference& b : record.blocks()) {
        if (keeps(b)) buffer.append(as_text(b.image));
        buffer.append(as_text(b.data));
    }
    buffer.append(as_text(record.main_data()));
    store(reinterpret_cast<std::byte*>(buffer.data()), static_cast<std::uint32_t>(buffer.size()));
    return as_bytes(buffer);
}

}  // namespace bough::pg::v15
