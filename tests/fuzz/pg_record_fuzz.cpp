// Any bytes as a WAL record: decoding, page images, re-encoding for one page, and extraction of what it changes.
#include <vector>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/v15/change_extractor.hpp"
#include "pg/v15/record.hpp"
#include "pg/wal_format.hpp"
#include "tests/fuzz/pg_null_sink.hpp"

using namespace bough;
using namespace bough::pg;

namespace {

// The record for a page must be a record again, with the same block.
void check_record_for_page(const v15::Record& record, const WalRecord& wal, const v15::BlockReference& block, bool keep_image) {
    std::string buffer;
    const auto bytes = record_for_page(record, block, keep_image, buffer);
    v15::Record again;
    BOUGH_CHECK(again.decode(WalRecord{wal.start, wal.end, bytes}));
    BOUGH_CHECK(again.blocks().size() == record.blocks().size());
    BOUGH_CHECK(again.block(block.id)->tag == block.tag);
    BOUGH_CHECK(again.block(block.id)->data.size() == block.data.size());
    BOUGH_CHECK(again.main_data().size() == record.main_data().size());
    BOUGH_CHECK(again.block(block.id)->has_image == (block.has_image && keep_image));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
    // The stream has checked the length before, so most inputs should have it right.
    if (size >= 24 && data[3] != 0xFF) store(bytes.data(), static_cast<std::uint32_t>(size));
    const WalRecord wal{Lsn{0x1000028}, Lsn{0x1000028 + max_align(size)}, bytes};

    v15::Record record;
    if (record.decode(wal)) {
        std::array<std::byte, kPageBytes> page;
        for (const auto& block : record.blocks()) {
            if (block.has_image) (void)restore_image(record, block, page);
            check_record_for_page(record, wal, block, true);
            check_record_for_page(record, wal, block, false);
        }
    }

    NullSink sink;
    v15::ChangeExtractor extractor(
        Counters{.next_full_xid = 0x1'00000400, .next_multi = 7, .oldest_commit_ts_xid = 3, .newest_commit_ts_xid = 9},
        Parameters{.track_commit_timestamp = true});
    (void)extractor.extract(wal, sink);
    return 0;
}
