#include "pg/v15/record.hpp"

#include <fmt/format.h>

#include "pg/bytes.hpp"
#include "pg/v15/record_format.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg::v15 {

// The headers at the front of a record; counts the payload that they announce.
class HeaderReader : public ByteReader {
public:
    using ByteReader::ByteReader;
    std::uint64_t payload = 0;
    bool have_relation = false;
    Relation relation;  // of the last block reference that named one
};

const BlockReference* Record::block(std::uint8_t id) const {
    for (const BlockReference& b : blocks())
        if (b.id == id) return &b;
    return nullptr;
}

Error Record::error(ErrorCode code, std::string_view what) const {
    return Error{code,
                 fmt::format("WAL record at {} (resource manager {}, info {:02X}): {}", start_.to_string(), resource_manager_,
                             info_, what),
                 {}};
}

Result<void> Record::decode(const WalRecord& wal) {
    start_ = wal.start;
    end_ = wal.end;
    bytes_ = wal.bytes;
    resource_manager_ = info_ = 0;
    origin_ = 0;
    toplevel_xid_ = 0;
    block_count_ = 0;
    main_data_ = {};
    if (bytes_.size() < sizeof(WalRecordHeader)) return corrupt("too short");
    const auto header = load<WalRecordHeader>(bytes_.data());
    resource_manager_ = header.resource_manager;
    info_ = header.info;
    xid_ = header.xid;
    if (header.total_bytes != bytes_.size()) return corrupt("its length does not agree with its header");
    return decode_headers();
}

Result<void> Record::decode_headers() {
    HeaderReader reader(bytes_.subspan(sizeof(WalRecordHeader)));
    std::uint32_t main_bytes = 0;
    // The headers end where what is left is the payload they announced.
    while (reader.left() > reader.payload) {
        const auto id = reader.take<std::uint8_t>();
        if (id == kPartDataShort || id == kPartDataLong) {
            main_bytes = id == kPartDataShort ? reader.take<std::uint8_t>() : reader.take<std::uint32_t>();
            reader.payload += main_bytes;
            break;
        }
        if (id == kPartOrigin) {
            origin_ = reader.take<std::uint16_t>();
        } else if (id == kPartToplevelXid) {
            toplevel_xid_ = reader.take<std::uint32_t>();
        } else if (id <= kPartBlockMax) {
            BOUGH_TRY(decode_block(id, reader));
        } else {
            return corrupt(fmt::format("invalid part {}", id));
        }
    }
    if (reader.failed() || reader.left() != reader.payload) return corrupt("its parts do not add up to its length");

    for (BlockReference& b : std::span(blocks_).first(block_count_)) {
        b.image = reader.take_bytes(b.image.size());
        b.data = reader.take_bytes(b.data.size());
    }
    main_data_ = reader.take_bytes(main_bytes);
    return {};
}

namespace {

// Says whether the image's length, hole and compression agree with one another.
std::string_view image_fault(const BlockReference& b, std::size_t image_bytes) {
    const bool has_hole = (b.image_info & kImageHasHole) != 0;
    const bool compressed = (b.image_info & kImageCompressed) != 0;
    if (image_bytes > kPageBytes) return "a page image longer than a page";
    if (has_hole && (b.hole_offset == 0 || b.hole_bytes == 0 || image_bytes == kPageBytes))
        return "a page image with an empty hole";
    if (!has_hole && (b.hole_offset != 0 || b.hole_bytes != 0)) return "a page image with an unannounced hole";
    if (b.hole_offset + b.hole_bytes > static_cast<int>(kPageBytes)) return "a page image with a hole beyond the page";
    if (compressed && image_bytes == kPageBytes) return "a compressed page image as long as a page";
    return {};
}

}  // namespace

Result<void> Record::decode_block(std::uint8_t id, HeaderReader& reader) {
    if (block_count_ > 0 && id <= blocks_[block_count_ - 1].id)
        return corrupt(fmt::format("block reference {} out of order", id));
    BlockReference& b = blocks_[block_count_] = BlockReference{};
    b.id = id;
    b.fork_flags = reader.take<std::uint8_t>();
    b.will_init = (b.fork_flags & kBlockWillInit) != 0;
    b.has_image = (b.fork_flags & kBlockHasImage) != 0;
    const auto data_bytes = reader.take<std::uint16_t>();
    if (((b.fork_flags & kBlockHasData) != 0) != (data_bytes != 0))
        return corrupt(fmt::format("block reference {} misstates its data", id));

    std::uint16_t image_bytes = 0;
    if (b.has_image) {
        image_bytes = reader.take<std::uint16_t>();
        b.hole_offset = reader.take<std::uint16_t>();
        b.image_info = reader.take<std::uint8_t>();
        b.apply_image = (b.image_info & kImageApply) != 0;
        if ((b.image_info & kImageCompressed) == 0)
            b.hole_bytes = static_cast<std::uint16_t>(kPageBytes - image_bytes);
        else if ((b.image_info & kImageHasHole) != 0)
            b.hole_bytes = reader.take<std::uint16_t>();
        if (const auto fault = image_fault(b, image_bytes); !fault.empty())
            return corrupt(fmt::format("block reference {}: {}", id, fault));
    }
    if ((b.fork_flags & kBlockSameRelation) == 0) {
        reader.relation.tablespace = reader.take<std::uint32_t>();
        reader.relation.database = reader.take<std::uint32_t>();
        reader.relation.number = reader.take<std::uint32_t>();
        reader.have_relation = true;
    } else if (!reader.have_relation) {
        return corrupt(fmt::format("block reference {} is of the same relation as none", id));
    }
    const std::uint8_t fork = b.fork_flags & kBlockForkMask;
    if (fork > static_cast<std::uint8_t>(Fork::init)) return corrupt(fmt::format("block reference {} of fork {}", id, fork));
    b.tag = PageTag{{reader.relation, static_cast<Fork>(fork)}, reader.take<std::uint32_t>()};
    constexpr std::uint32_t kInvalidBlock = 0xFFFFFFFF;
    if (b.tag.block == kInvalidBlock) return corrupt(fmt::format("block reference {} of an invalid block", id));

    // Where image and data lie is known once all headers are read; until then the spans only have their lengths.
    if (reader.failed() || image_bytes + std::uint64_t{data_bytes} > bytes_.size())
        return corrupt(fmt::format("block reference {} runs over its end", id));
    b.image = bytes_.first(image_bytes);
    b.data = bytes_.first(data_bytes);
    reader.payload += std::uint64_t{image_bytes} + data_bytes;
    ++block_count_;
    return {};
}

}  // namespace bough::pg::v15
