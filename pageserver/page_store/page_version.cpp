#include "pageserver/page_store/page_version.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "bough/check.hpp"
#include "pageserver/page_store/image_columns.hpp"
#include "pageserver/page_store/little_endian.hpp"
#include "pg/page_header.hpp"
#include "pg/wal_format.hpp"

namespace bough::pageserver {
namespace {

// Beside PageStep::Type in the first byte of a value. A record is stored with what is kept of its header; what is no whole record, as
// Type::record, as it is. Columns are another form of Type::image.
constexpr std::uint8_t kSeveral = 5;
constexpr std::uint8_t kRecord = 6;
constexpr std::uint8_t kImageColumns = 7;

// Where Postgres's page header says that nothing is stored, if the bytes there are zero.
struct Hole {
    std::uint16_t begin = 0;
    std::uint16_t bytes = 0;
};

Hole find_hole(pg::ConstPage page) {
    constexpr std::size_t kLowerOffset = 12;  // pd_lower, then pd_upper
    constexpr std::size_t kHeaderBytes = 24;
    std::uint16_t lower = 0;
    std::uint16_t upper = 0;
    std::memcpy(&lower, page.data() + kLowerOffset, sizeof(lower));
    std::memcpy(&upper, page.data() + kLowerOffset + sizeof(lower), sizeof(upper));
    if (lower < kHeaderBytes || upper <= lower || upper > pg::kPageBytes) return {};
    const auto hole = page.subspan(lower, static_cast<std::size_t>(upper - lower));
    if (std::ranges::any_of(hole, [](std::byte b) { return b != std::byte{0}; })) return {};
    return {lower, static_cast<std::uint16_t>(upper - lower)};
}

std::string_view chars(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Error corrupt_version(const char* what) { return Error{ErrorCode::corrupt, std::string("stored page version: ") + what, {}}; }

Result<pg::PageBase> decode_base(std::uint8_t byte) {
    if (byte > static_cast<std::uint8_t>(pg::PageBase::zero)) return corrupt_version("unknown base");
    return static_cast<pg::PageBase>(byte);
}

std::optional<RecordHeader> kept_header(std::span<const std::byte> record) {
    pg::WalRecordHeader header;
    if (record.size() <= sizeof(header)) return std::nullopt;
    std::memcpy(&header, record.data(), sizeof(header));
    if (header.total_bytes != record.size() || header.padding != 0) return std::nullopt;
    return RecordHeader{header.xid, header.info, header.resource_manager};
}

Result<PageStep> decode_step(std::string_view value, Lsn lsn) {
    ValueReader reader(value);
    PageStep step;
    step.lsn = lsn;
    const auto type = reader.take<std::uint8_t>();
    if (reader.failed()) return corrupt_version("empty value");
    switch (type) {
        case static_cast<std::uint8_t>(PageStep::Type::zero): step.type = PageStep::Type::zero; break;
        case static_cast<std::uint8_t>(PageStep::Type::image): {
            step.type = PageStep::Type::image;
            step.hole_begin = reader.take<std::uint16_t>();
            step.hole_bytes = reader.take<std::uint16_t>();
            step.bytes = reader.take_rest();
            const std::size_t hole_end = std::size_t{step.hole_begin} + step.hole_bytes;
            if (hole_end > pg::kPageBytes || step.bytes.size() + step.hole_bytes != pg::kPageBytes)
                return corrupt_version("image of a wrong size");
            break;
        }
        case kImageColumns:
            step.type = PageStep::Type::image;
            step.has_columns = true;
            step.bytes = reader.take_rest();
            if (!are_image_columns(step.bytes)) return corrupt_version("columns of no page");
            break;
        case kRecord:
        case static_cast<std::uint8_t>(PageStep::Type::record): {
            step.type = PageStep::Type::record;
            BOUGH_ASSIGN(step.base, decode_base(reader.take<std::uint8_t>()));
            const std::uint64_t length = reader.take_varint();
            if (type == kRecord) {
                RecordHeader& header = step.header.emplace();
                header.xid = reader.take<std::uint32_t>();
                header.info = reader.take<std::uint8_t>();
                header.resource_manager = reader.take<std::uint8_t>();
            }
            step.record_start = Lsn{lsn.value - length};
            step.bytes = reader.take_rest();
            if (step.bytes.empty() || length == 0 || length > lsn.value) return corrupt_version("record without bytes or place");
            break;
        }
        case static_cast<std::uint8_t>(PageStep::Type::edits): {
            step.type = PageStep::Type::edits;
            BOUGH_ASSIGN(step.base, decode_base(reader.take<std::uint8_t>()));
            step.bytes = reader.take_rest();
            break;
        }
        default: return corrupt_version("unknown type");
    }
    if (!reader.done()) return corrupt_version("wrong length");
    return step;
}

}  // namespace

void PageStep::write_page(pg::Page out) const {
    BOUGH_CHECK(type == Type::zero || type == Type::image);
    if (type == Type::zero) {
        std::ranges::fill(out, std::byte{0});
        return;
    }
    if (has_columns) return write_image_columns(bytes, out);
    std::memcpy(out.data(), bytes.data(), hole_begin);
    std::memset(out.data() + hole_begin, 0, hole_bytes);
    std::memcpy(out.data() + hole_begin + hole_bytes, bytes.data() + hole_begin, bytes.size() - hole_begin);
}

std::size_t PageStep::size() const { return bytes.size() + (header ? sizeof(pg::WalRecordHeader) : 0); }

PageStep PageStep::copied_to(char* memory) const {
    PageStep copy = *this;
    copy.header.reset();
    copy.bytes = {memory, size()};
    if (header) {
        const pg::WalRecordHeader whole{static_cast<std::uint32_t>(size()), header->xid, 0, header->info, header->resource_manager, 0, 0};
        std::memcpy(memory, &whole, sizeof(whole));
        memory += sizeof(whole);
    }
    if (!bytes.empty()) std::memcpy(memory, bytes.data(), bytes.size());
    return copy;
}

void append_zero_page(std::string& out) { append_le(out, static_cast<std::uint8_t>(PageStep::Type::zero)); }

void append_image(std::string& out, pg::ConstPage page) {
    if (std::ranges::all_of(page, [](std::byte b) { return b == std::byte{0}; })) return append_zero_page(out);
    const Hole hole = find_hole(page);
    append_le(out, static_cast<std::uint8_t>(PageStep::Type::image));
    append_le(out, hole.begin);
    append_le(out, hole.bytes);
    out.append(chars(page.first(hole.begin)));
    out.append(chars(page.subspan(static_cast<std::size_t>(hole.begin) + hole.bytes)));
}

void append_image_without_hole(std::string& out, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn) {
    BOUGH_CHECK(bytes.size() < pg::kPageBytes && hole_begin >= sizeof(pg::PageHeader) && hole_begin <= bytes.size());
    append_le(out, static_cast<std::uint8_t>(PageStep::Type::image));
    append_le(out, hole_begin);
    append_le(out, static_cast<std::uint16_t>(pg::kPageBytes - bytes.size()));
    // A page's LSN: its higher half first.
    append_le(out, static_cast<std::uint32_t>(lsn.value >> 32));
    append_le(out, static_cast<std::uint32_t>(lsn.value));
    out.append(chars(bytes.subspan(sizeof(lsn.value))));
}

void append_record(std::string& out, pg::PageBase base, Lsn record_start, Lsn record_end,
                   std::span<const std::byte> record_bytes) {
    BOUGH_CHECK(record_start < record_end);
    const auto header = kept_header(record_bytes);
    append_le(out, header ? kRecord : static_cast<std::uint8_t>(PageStep::Type::record));
    append_le(out, static_cast<std::uint8_t>(base));
    append_varint(out, record_end - record_start);
    if (header) {
        append_le(out, header->xid);
        append_le(out, header->info);
        append_le(out, header->resource_manager);
        record_bytes = record_bytes.subspan(sizeof(pg::WalRecordHeader));
    }
    out.append(chars(record_bytes));
}

void append_edits(std::string& out, pg::PageBase base, std::string_view edits) {
    append_le(out, static_cast<std::uint8_t>(PageStep::Type::edits));
    append_le(out, static_cast<std::uint8_t>(base));
    out.append(edits);
}

std::string encode_zero_page() {
    std::string value;
    append_zero_page(value);
    return value;
}

std::string encode_image(pg::ConstPage page) {
    std::string value;
    append_image(value, page);
    return value;
}

std::string encode_kept_image(pg::ConstPage page) {
    std::string value;
    append_le(value, kImageColumns);
    std::array<std::byte, pg::kPageBytes> again;
    // It stands for all older versions, which go then: that it comes back is worth looking at.
    if (append_image_columns(value, page) && are_image_columns(std::string_view(value).substr(1))) {
        write_image_columns(std::string_view(value).substr(1), again);
        if (std::ranges::equal(again, page)) return value;
    }
    return encode_image(page);
}

std::string encode_record(pg::PageBase base, Lsn record_start, Lsn record_end, std::span<const std::byte> record_bytes) {
    std::string value;
    append_record(value, base, record_start, record_end, record_bytes);
    return value;
}

std::string encode_edits(pg::PageBase base, std::string_view edits) {
    std::string value;
    append_edits(value, base, edits);
    return value;
}

std::string combine_steps(std::string_view earlier, std::string_view later) {
    std::string value;
    append_le(value, kSeveral);
    // An earlier combination keeps its steps: a value is never nested.
    if (!earlier.empty() && static_cast<std::uint8_t>(earlier[0]) == kSeveral) {
        value.append(earlier.substr(1));
    } else {
        append_le(value, static_cast<std::uint32_t>(earlier.size()));
        value.append(earlier);
    }
    append_le(value, static_cast<std::uint32_t>(later.size()));
    value.append(later);
    return value;
}

bool is_base_version(std::string_view value) {
    ValueReader reader(value);
    switch (reader.take<std::uint8_t>()) {
        case static_cast<std::uint8_t>(PageStep::Type::zero):
        case static_cast<std::uint8_t>(PageStep::Type::image):
        case kImageColumns: return true;
        case kRecord:
        case static_cast<std::uint8_t>(PageStep::Type::record):
        case static_cast<std::uint8_t>(PageStep::Type::edits): {
            const auto base = reader.take<std::uint8_t>();
            return !reader.failed() && base == static_cast<std::uint8_t>(pg::PageBase::zero);
        }
        case kSeveral:
            while (!reader.done() && !reader.failed()) {
                const std::string_view one = reader.take_bytes(reader.take<std::uint32_t>());
                if (!one.empty() && static_cast<std::uint8_t>(one[0]) != kSeveral && is_base_version(one)) return true;
            }
            return false;
        default: return false;
    }
}

bool is_image_version(std::string_view value) {
    if (value.empty()) return false;
    const auto type = static_cast<std::uint8_t>(value[0]);
    return type == static_cast<std::uint8_t>(PageStep::Type::image) || type == kImageColumns;
}

Result<void> decode_page_version(std::string_view value, Lsn lsn, std::vector<PageStep>& steps) {
    if (value.empty() || static_cast<std::uint8_t>(value[0]) != kSeveral) {
        BOUGH_ASSIGN(steps.emplace_back(), decode_step(value, lsn));
        return {};
    }
    const std::size_t first = steps.size();
    ValueReader reader(value.substr(1));
    while (!reader.done()) {
        const auto length = reader.take<std::uint32_t>();
        const std::string_view one = reader.take_bytes(length);
        if (reader.failed()) return corrupt_version("wrong length");
        BOUGH_ASSIGN(steps.emplace_back(), decode_step(one, lsn));
    }
    if (steps.size() == first) return corrupt_version("empty combination");
    std::reverse(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end());
    return {};
}

}  // namespace bough::pageserver
