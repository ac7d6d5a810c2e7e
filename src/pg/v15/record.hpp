// A WAL record of Postgres 15 taken apart: block references with their page images and data, and the main data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"
#include "pg/v15/version.hpp"
#include "pg/wal_record.hpp"

namespace bough::pg::v15 {

struct BlockReference {
    PageTag tag;
    std::uint8_t id = 0;
    std::uint8_t fork_flags = 0;  // as in the record
    bool will_init = false;       // redo begins from zeros
    bool has_image = false;
    bool apply_image = false;  // the image is for redo, not just for comparison
    std::uint8_t image_info = 0;
    std::uint16_t hole_offset = 0;
    std::uint16_t hole_bytes = 0;
    std::span<const std::byte> image;  // as in the record: without its hole, perhaps compressed
    std::span<const std::byte> data;
};

// Views into the WalRecord's bytes: valid as long as those are. Cheap to keep and decode into again.
class Record {
public:
    static constexpr std::size_t kBlocksMax = 33;  // XLR_MAX_BLOCK_ID + 1

    // Takes `wal` apart, whatever its bytes; ErrorCode::corrupt, with the LSN, when they are not a record. The checksum is
    // not looked at: WalStream did.
    Result<void> decode(const WalRecord& wal);

    Lsn start() const { return start_; }
    Lsn end() const { return end_; }
    std::uint8_t resource_manager() const { return resource_manager_; }
    std::uint8_t info() const { return info_; }                   // all eight bits
    std::uint8_t operation() const { return info_ & 0xF0; }       // the resource manager's four
    std::uint32_t xid() const { return xid_; }                    // 0: of no transaction
    std::uint16_t origin() const { return origin_; }              // replication origin; 0: none
    std::uint32_t toplevel_xid() const { return toplevel_xid_; }  // 0: not given
    std::span<const BlockReference> blocks() const { return std::span(blocks_).first(block_count_); }
    const BlockReference* block(std::uint8_t id) const;  // null when the record has none of this id
    std::span<const std::byte> main_data() const { return main_data_; }
    std::span<const std::byte> bytes() const { return bytes_; }

    // An error about this record: "WAL record at LSN (resource manager N): what".
    Error error(ErrorCode code, std::string_view what) const;
    Error corrupt(std::string_view what) const { return error(ErrorCode::corrupt, what); }

private:
    Result<void> decode_headers();
    Result<void> decode_block(std::uint8_t id, class HeaderReader& reader);

    Lsn start_;
    Lsn end_;
    std::span<const std::byte> bytes_;
    std::uint8_t resource_manager_ = 0;
    std::uint8_t info_ = 0;
    std::uint32_t xid_ = 0;
    std::uint16_t origin_ = 0;
    std::uint32_t toplevel_xid_ = 0;
    std::size_t block_count_ = 0;
    std::array<BlockReference, kBlocksMax> blocks_;
    std::span<const std::byte> main_data_;
};

// The page that `block`'s image stands for: decompressed, its hole zeroed, and with the record's end as its LSN unless it is
// uninitialised, as Postgres's redo leaves it. ErrorCode::corrupt when it does not decompress.
Result<void> restore_image(const Record& record, const BlockReference& block, Page page);

// Whether the bytes of `block`'s image are that page's but for its hole, which there is, and its LSN.
bool is_plain_image(const BlockReference& block);

// The record as redo of the page of `block` needs it: without the images of other blocks, and without that block's own unless
// `keep_image`. A whole record but for its checksum. It is either record.bytes() or in `buffer`.
std::span<const std::byte> record_for_page(const Record& record, const BlockReference& block, bool keep_image,
                                           std::string& buffer);

}  // namespace bough::pg::v15
