#include "pg/wal_page_writer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/v15/version.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg {

WalPageWriter::WalPageWriter(SystemId system_id, std::uint32_t segment_bytes, std::uint32_t timeline, Lsn first)
    : system_id_(system_id), segment_bytes_(segment_bytes), timeline_(timeline), first_(first) {}

Result<WalPageWriter> WalPageWriter::open(SystemId system_id, std::uint32_t segment_bytes, std::uint32_t timeline, Lsn begin,
                                          std::span<const std::byte> prefix) {
    if (!valid_wal_segment_bytes(segment_bytes))
        return Error{ErrorCode::invalid_argument, fmt::format("invalid WAL segment size {}", segment_bytes), {}};
    const Lsn page{begin.value - begin.value % kWalPageBytes};
    const auto in_page = begin - page;
    if (begin.value % kMaxAlign != 0 || (in_page != 0 && in_page < wal_page_header_bytes(page.value, segment_bytes)))
        return Error{ErrorCode::invalid_argument, fmt::format("{} is not a WAL record boundary", begin.to_string()), {}};

    const Lsn first{begin.value - begin.value % segment_bytes};
    if (prefix.size() > begin - first)
        return Error{ErrorCode::invalid_argument, fmt::format("WAL before {} given beyond it", begin.to_string()), {}};

    WalPageWriter writer(system_id, segment_bytes, timeline, first);
    writer.bytes_.assign(prefix.begin(), prefix.end());
    const auto has_header_of = [&](Lsn p) { return prefix.size() >= p - first + wal_page_header_bytes(p.value, segment_bytes); };
    // A page whose start is unknown is made to say that a record from before it ends at `begin`: so who looks for records
    // from the page's start on (pg_waldump does) finds the next one.
    const auto make_header_of = [&](Lsn p, std::uint64_t gap) {
        writer.bytes_.resize(p - first);
        writer.write_page_header(p, gap);
    };
    const std::uint64_t gap = in_page == 0 ? 0 : in_page - wal_page_header_bytes(page.value, segment_bytes);
    if (begin > first && !has_header_of(first)) make_header_of(first, page == first ? gap : 0);
    if (in_page != 0 && page > first && !has_header_of(page)) make_header_of(page, gap);
    writer.bytes_.resize(begin - first);
    return writer;
}

Lsn WalPageWriter::next_start() const {
    const Lsn at = end();
    return at.value % kWalPageBytes == 0 ? at + wal_page_header_bytes(at.value, segment_bytes_) : at;
}

WalPageWriter::Placement WalPageWriter::append(std::span<const std::byte> record) {
    BOUGH_CHECK(!record.empty());
    const Lsn start = next_start();
    bool continues = false;
    while (!record.empty()) {
        if (end().value % kWalPageBytes == 0) write_page_header(end(), continues ? record.size() : 0);
        const auto room = kWalPageBytes - end().value % kWalPageBytes;
        const auto part = record.first(std::min<std::size_t>(room, record.size()));
        bytes_.insert(bytes_.end(), part.begin(), part.end());
        record = record.subspan(part.size());
        continues = true;
    }
    bytes_.resize(max_align(bytes_.size()));
    return {start, end()};
}

void WalPageWriter::fill_segment() {
    const auto page_end = [&] { return bytes_.size() + (kWalPageBytes - bytes_.size() % kWalPageBytes) % kWalPageBytes; };
    bytes_.resize(page_end());
    while (bytes_.size() % segment_bytes_ != 0) {
        write_page_header(end(), 0);
        bytes_.resize(page_end());
    }
}

void WalPageWriter::write_page_header(Lsn page, std::size_t remaining_bytes) {
    BOUGH_CHECK(page == end());
    WalLongPageHeader header{};
    header.page.magic = v15::kWalPageMagic;
    header.page.info = remaining_bytes != 0 ? kWalPageContinuesRecord : 0;
    header.page.timeline = timeline_;
    header.page.page_address = page.value;
    header.page.remaining_bytes = static_cast<std::uint32_t>(remaining_bytes);
    const auto length = wal_page_header_bytes(page.value, segment_bytes_);
    if (length == sizeof(WalLongPageHeader)) {
        header.page.info |= kWalPageLongHeader;
        header.system_id = system_id_.value;
        header.segment_bytes = segment_bytes_;
        header.page_bytes = kWalPageBytes;
    }
    bytes_.resize(bytes_.size() + length);
    std::memcpy(bytes_.data() + bytes_.size() - length, &header, length);
}

}  // namespace bough::pg
