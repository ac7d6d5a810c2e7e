// Any bytes as a WAL stream, and a good stream damaged in any way, in pieces of any size.
#include <algorithm>
#include <vector>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/record_bytes.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_page_writer.hpp"
#include "pg/wal_stream.hpp"

using namespace bough;
using namespace bough::pg;

namespace {

constexpr std::uint32_t kSegment = 1u << 20;
constexpr WalGeometry kGeometry{kSegment, SystemId{77}};

// Reads to the end or to the first error; gives the number of records.
std::size_t read_all(WalStream stream, std::span<const std::byte> bytes, std::size_t piece) {
    std::size_t records = 0;
    for (;;) {
        for (;;) {
            const auto record = stream.next();
            if (!record || !*record) {
                if (!record) {
                    BOUGH_CHECK(!stream.next());
                    return records;
                }
                break;
            }
            BOUGH_CHECK((*record)->end <= stream.fed_end() && (*record)->start < (*record)->end);
            BOUGH_CHECK((*record)->bytes.size() >= sizeof(WalRecordHeader));
            ++records;
        }
        if (bytes.empty()) return records;
        const auto part = bytes.first(std::min(piece, bytes.size()));
        stream.feed(part);
        bytes = bytes.subspan(part.size());
    }
}

// Records of lengths that the input says, written and read again.
void round_trip(ByteReader input) {
    const Lsn begin{0x500000 + std::uint64_t{input.take<std::uint8_t>()} * 8};
    auto writer = WalPageWriter::open(SystemId{77}, kSegment, 1, begin, {});
    if (!writer) return;
    const std::size_t piece = 64 + input.take<std::uint16_t>();
    const auto damage_at = input.take<std::uint16_t>(), damage = std::uint16_t{input.take<std::uint8_t>()};
    std::size_t written = 0;
    Lsn previous{1};
    for (; input.left() >= 2 && written < 12; ++written) {
        const std::vector<std::byte> data(input.take<std::uint16_t>() % 18000, std::byte{7});
        previous = writer->append(as_bytes(make_record(10, 0, 3, previous, data))).start;
    }
    std::vector<std::byte> bytes(writer->bytes().begin() + static_cast<std::ptrdiff_t>(begin - writer->begin()),
                                 writer->bytes().end());
    BOUGH_CHECK(read_all(WalStream(kGeometry, begin), bytes, piece) == written);
    if (!bytes.empty()) bytes[damage_at % bytes.size()] ^= static_cast<std::byte>(damage);
    BOUGH_CHECK(read_all(WalStream(kGeometry, begin), bytes, piece) <= written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader input(std::span(reinterpret_cast<const std::byte*>(data), size));
    const auto mode = input.take<std::uint8_t>();
    const std::size_t piece = 1 + std::size_t{input.take<std::uint8_t>()} * 16;
    switch (mode % 4) {
        case 0: read_all(WalStream(kGeometry, Lsn{0x500000 + std::uint64_t{mode} * 2}), input.rest(), piece); break;
        case 1: read_all(WalStream(kGeometry, Lsn{0x500000}), input.rest(), piece); break;
        case 2:
            read_all(WalStream::from_page(kGeometry, Lsn{0x500000 + std::uint64_t{mode} * kWalPageBytes}), input.rest(), piece);
            break;
        default: round_trip(input);
    }
    return 0;
}
