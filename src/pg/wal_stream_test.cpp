#include "pg/wal_stream.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/record_bytes.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_page_writer.hpp"

namespace bough::pg {
namespace {

constexpr std::uint32_t kSegment = 1u << 20;
constexpr SystemId kSystem{0x1122334455667788};
constexpr WalGeometry kGeometry{kSegment, kSystem};

std::vector<std::byte> test_record(std::size_t total, Lsn previous, std::uint8_t manager = 10, std::uint8_t info = 0) {
    std::vector<std::byte> record(total);
    for (std::size_t i = sizeof(WalRecordHeader); i < total; ++i) record[i] = static_cast<std::byte>(i * 31 + total);
    WalRecordHeader header{};
    header.total_bytes = static_cast<std::uint32_t>(total);
    header.previous = previous.value;
    header.resource_manager = manager;
    header.info = info;
    store(record.data(), header);
    header.crc = record_crc(record);
    store(record.data(), header);
    return record;
}

struct Written {
    Lsn start, end;
    std::vector<std::byte> bytes;
};

// A log of records that begins at `begin`, and what a reader must make of it.
class Log {
public:
    explicit Log(Lsn begin) : writer_(*WalPageWriter::open(kSystem, kSegment, 1, begin, {})), begin_(begin) {}

    void add(std::size_t total) {
        Written w{.start = {}, .end = {}, .bytes = test_record(total, previous())};
        const auto placed = writer_.append(w.bytes);
        w.start = placed.start;
        w.end = placed.end;
        records.push_back(std::move(w));
    }
    void add_switch() {
        Written w{.start = {}, .end = {}, .bytes = test_record(24, previous(), 0, 0x40)};
        w.start = writer_.append(w.bytes).start;
        writer_.fill_segment();
        w.end = writer_.end();
        records.push_back(std::move(w));
    }
    Lsn previous() const { return records.empty() ? Lsn{begin_.value - 64} : records.back().start; }
    std::vector<std::byte> bytes_from(Lsn lsn) const {
        return {writer_.bytes().begin() + static_cast<std::ptrdiff_t>(lsn - writer_.begin()), writer_.bytes().end()};
    }

    std::vector<Written> records;

private:
    WalPageWriter writer_;
    Lsn begin_;
};

void expect_records(WalStream& stream, const std::vector<std::byte>& bytes, std::size_t piece,
                    const std::vector<Written>& expected, std::size_t first = 0) {
    std::size_t n = first;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        stream.feed(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
        for (;;) {
            auto record = stream.next();
            ASSERT_TRUE(record) << record.error().to_string();
            if (!*record) break;
            ASSERT_LT(n, expected.size());
            EXPECT_EQ((*record)->start, expected[n].start);
            EXPECT_EQ((*record)->end, expected[n].end);
            EXPECT_TRUE(std::ranges::equal((*record)->bytes, expected[n].bytes));
            EXPECT_LE(stream.record_end(), stream.fed_end());
            EXPECT_EQ(stream.last_record_start(), expected[n].start);
            ++n;
        }
    }
    EXPECT_EQ(n, expected.size());
}

Log mixed_log(Lsn begin, std::size_t longest = 30000) {
    Log log(begin);
    for (const std::size_t total : {24u, 30u, 100u, 8000u, 8192u, 25u, 50000u, 24u, 60u}) log.add(total);
    // Records that end exactly at, just before and just after page ends, and headers split between pages.
    for (std::size_t left = 0; left <= 48; left += 8) {
        const Lsn at = log.records.back().end;
        log.add(kWalPageBytes - at.value % kWalPageBytes - left + (kWalPageBytes - 24));
        log.add(40);
    }
    log.add_switch();
    log.add(77);
    log.add(longest);
    log.add(33);
    return log;
}

TEST(WalStream, gives_every_record_whatever_the_pieces) {
    for (const std::uint64_t begin : {0x500000ull + 40, 0x500000ull, 0x502000ull, 0x502000ull + 24, 0x5031f8ull, 0x4ffff8ull}) {
        const Log log = mixed_log(Lsn{begin}, 2 * kSegment + 12345);
        for (const std::size_t piece : {5u, 8192u, 100000u, 100000000u}) {
            if (piece == 5 && begin != 0x502000ull) continue;
            WalStream stream(kGeometry, Lsn{begin});
            expect_records(stream, log.bytes_from(Lsn{begin}), piece, log.records);
        }
    }
}

TEST(WalStream, begins_at_any_record_or_its_end) {
    const Log log = mixed_log(Lsn{0x500000});
    for (std::size_t i = 1; i < log.records.size(); ++i) {
        for (const Lsn begin : {log.records[i].start, log.records[i - 1].end}) {
            WalStream stream(kGeometry, begin);
            EXPECT_EQ(stream.record_end(), begin);
            expect_records(stream, log.bytes_from(begin), 10000, log.records, i);
        }
    }
}

TEST(WalStream, finds_the_first_record_after_any_page_boundary) {
    const Log log = mixed_log(Lsn{0x500000});
    const Lsn end = log.records.back().end;
    for (Lsn page{0x500000}; page < end; page = page + kWalPageBytes) {
        std::size_t i = 0;
        while (i < log.records.size() && log.records[i].start < page) ++i;
        // Inside the zeros after a segment switch no record begins.
        const bool in_switch = i > 0 && log.records[i - 1].bytes.size() == 24 && log.records[i - 1].end > page + 1;
        if (i == log.records.size() || in_switch) continue;
        auto stream = WalStream::from_page(kGeometry, page);
        expect_records(stream, log.bytes_from(page), 5000, log.records, i);
    }
}

TEST(WalStream, passes_over_a_record_whose_rest_was_lost) {
    Log log(Lsn{0x500000});
    log.add(100);
    log.add(20000);
    auto bytes = log.bytes_from(Lsn{0x500000});
    bytes.resize(2 * kWalPageBytes);  // its third part never came
    WalPageHeader header{};
    header = load<WalPageHeader>(bytes.data() + kWalPageBytes);
    header.info = kWalPageOverwritesRecord;
    header.page_address += kWalPageBytes;
    header.remaining_bytes = 0;
    bytes.resize(bytes.size() + sizeof header);
    store(bytes.data() + 2 * kWalPageBytes, header);
    const auto next = test_record(48, log.records[0].start, 0, 0xD0);
    bytes.insert(bytes.end(), next.begin(), next.end());

    const Lsn at{0x500000 + 2 * kWalPageBytes + 24};
    WalStream stream(kGeometry, Lsn{0x500000});
    expect_records(stream, bytes, 1000, {log.records[0], Written{at, at + 48, next}});
}

// Flips one thing in a good log and gives the error that reading ends in.
template <class Damage>
Error damaged(const Log& log, Damage damage) {
    auto bytes = log.bytes_from(Lsn{0x500000});
    damage(bytes);
    WalStream stream(kGeometry, Lsn{0x500000});
    stream.feed(bytes);
    for (;;) {
        auto record = stream.next();
        if (!record) {
            EXPECT_FALSE(stream.next()) << "the stream is over";
            EXPECT_EQ(record.error().code, ErrorCode::corrupt);
            return record.error();
        }
        if (!*record) return Error{ErrorCode::internal, "no error", {}};
    }
}

TEST(WalStream, says_what_is_corrupt_and_where) {
    const Log log = mixed_log(Lsn{0x500000});
    const auto message = [&](auto damage) { return damaged(log, damage).message; };
    using Bytes = std::vector<std::byte>;
    EXPECT_EQ(message([](Bytes& b) { b[0] = std::byte{0x0F}; }),
              "WAL page at 0/500000: invalid magic number D10F where D110 is expected");
    EXPECT_EQ(message([](Bytes& b) { b[2] = std::byte{0x12}; }), "WAL page at 0/500000: invalid info bits 0012");
    EXPECT_EQ(message([](Bytes& b) { b[2] = std::byte{0}; }), "WAL page at 0/500000: a segment begins without a long header");
    EXPECT_EQ(message([](Bytes& b) { b[8] = std::byte{1}; }), "WAL page at 0/500000: its header has the address 0/500001");
    EXPECT_EQ(message([](Bytes& b) { b[24] = std::byte{1}; }),
              "WAL page at 0/500000: belongs to the system 1234605616436508417, not 1234605616436508552");
    EXPECT_EQ(message([](Bytes& b) { b[34] = std::byte{0}; }), "WAL page at 0/500000: segment size 0 where 1048576 is expected");
    EXPECT_EQ(message([](Bytes& b) { b[36] = std::byte{1}; }), "WAL page at 0/500000: page size 8193 where 8192 is expected");
    EXPECT_EQ(message([](Bytes& b) { b[40] = std::byte{23}; }),
              "WAL record at 0/500028: invalid record length 23: at least 24 is expected");
    EXPECT_EQ(message([](Bytes& b) { b[43] = std::byte{0x40}; }), "WAL record at 0/500028: record length 1073741848 is too long");
    EXPECT_EQ(message([](Bytes& b) { b[57] = std::byte{22}; }), "WAL record at 0/500028: invalid resource manager 22");
    EXPECT_EQ(message([](Bytes& b) { b[50] = std::byte{0x60}; }),
              "WAL record at 0/500028: its link to the record before is 0/60FFC0, which is at 0/0");
    EXPECT_EQ(message([](Bytes& b) { b[40 + 24 + 8] = std::byte{0}; }),
              "WAL record at 0/500040: its link to the record before is 0/500000, which is at 0/500028");
    EXPECT_EQ(message([](Bytes& b) { b[100] ^= std::byte{1}; }), "WAL record at 0/500060: incorrect checksum");
    // A page that should continue a record and does not, or not by as much.
    EXPECT_THAT(message([](Bytes& b) { b[8192 + 2] = std::byte{0}; }),
                testing::EndsWith("the page at 0/502000 does not continue it"));
    EXPECT_THAT(message([](Bytes& b) { b[8192 + 16] ^= std::byte{1}; }),
                testing::HasSubstr("the page at 0/502000 continues it with"));
    EXPECT_THAT(message([](Bytes& b) { std::fill(b.begin() + 8192, b.begin() + 16384, std::byte{0}); }),
                testing::HasSubstr("invalid magic number 0000"));
    EXPECT_EQ(message([](Bytes& b) {
                  b[2] = std::byte{3};
                  b[16] = std::byte{9};
              }),
              "WAL record at 0/500028: its page continues a record (9 bytes) where none began");
}

TEST(WalStream, wants_more_rather_than_fail_on_any_truncation) {
    Log log(Lsn{0x500000});
    for (const std::size_t total : {24u, 8190u, 20000u, 30u}) log.add(total);
    const auto bytes = log.bytes_from(Lsn{0x500000});
    for (std::size_t length = 0; length < bytes.size(); length += length % 8192 < 80 ? 1 : 50) {
        WalStream stream(kGeometry, Lsn{0x500000});
        stream.feed(std::span(bytes).first(length));
        std::size_t n = 0;
        for (;;) {
            const auto record = stream.next();
            ASSERT_TRUE(record) << record.error().to_string();
            if (!*record) break;
            ++n;
        }
        std::size_t whole = 0;
        while (whole < log.records.size() && log.records[whole].end.value <= 0x500000 + length) ++whole;
        EXPECT_EQ(n, whole) << length;
    }
}

TEST(WalStream, refuses_to_begin_where_no_record_can) {
    for (const std::uint64_t begin : {0x500004ull, 0x500008ull, 0x500020ull, 0x502010ull}) {
        WalStream stream(kGeometry, Lsn{begin});
        const auto record = stream.next();
        ASSERT_FALSE(record);
        EXPECT_EQ(record.error().code, ErrorCode::invalid_argument);
    }
}

}  // namespace
}  // namespace bough::pg
