// Fuzzes the check of RocksDB's logs: any bytes, and records with any bytes whose checksums are right, as far into the blocks as they get.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/crc32c.hpp"
#include "rocksdb_log/record_log.hpp"

namespace bough::rocksdb_log {
namespace {

constexpr std::size_t kBlock = RecordLogCheck::kBlockBytes;

std::optional<std::uint64_t> check(std::span<const std::byte> log) {
    RecordLogCheck check;
    for (std::size_t at = 0; at < log.size(); at += kBlock) check.add(log.subspan(at, std::min(kBlock, log.size() - at)));
    if (check.damage() && (check.records() == 0 || *check.damage() >= log.size() || check.broken() != check.damage()))
        std::abort();
    return check.damage();
}

// Chunks of the input, each with its length in front, become the records of a log.
struct Records {
    std::vector<std::byte> log;
    std::size_t count = 0;
    std::size_t last = 0;      // where the last one begins
    std::vector<bool> unused;  // which bytes belong to none
};

Records records_of(std::span<const std::byte> bytes) {
    Records made;
    auto& log = made.log;
    while (bytes.size() > 2) {
        // Some are long, so that blocks get full.
        const std::size_t length =
            std::to_integer<std::size_t>(bytes[0]) * (std::to_integer<unsigned>(bytes[1]) % 4 == 0 ? 97 : 1);
        const std::size_t room = kBlock - log.size() % kBlock;
        if (room < 7) log.resize(log.size() + room);
        made.unused.resize(log.size(), true);
        const std::size_t fits = std::min(length, kBlock - log.size() % kBlock - 7);
        bytes = bytes.subspan(2);
        const std::size_t given = std::min(fits, bytes.size());
        std::vector<std::byte> record(7 + fits, std::byte{'x'});
        record[4] = std::byte(fits & 0xff);
        record[5] = std::byte(fits >> 8);
        record[6] = std::byte{1};
        std::copy_n(bytes.begin(), given, record.begin() + 7);
        const std::uint32_t crc = crc32c(std::span(record).subspan(6));
        const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
        std::memcpy(record.data(), &masked, sizeof(masked));
        made.last = log.size();
        log.insert(log.end(), record.begin(), record.end());
        made.unused.resize(log.size(), false);
        bytes = bytes.subspan(given);
        ++made.count;
    }
    return made;
}

// A whole log is whole; a bit flipped before its last record is found.
void check_records(std::span<const std::byte> bytes) {
    auto [log, count, last, unused] = records_of(bytes);
    RecordLogCheck whole;
    for (std::size_t at = 0; at < log.size(); at += kBlock)
        whole.add(std::span(log).subspan(at, std::min(kBlock, log.size() - at)));
    if (whole.damage() || whole.broken() || whole.records() != count) std::abort();
    if (log.empty()) return;
    const std::size_t flipped = std::to_integer<std::size_t>(bytes[0]) * 131 % log.size();
    log[flipped] ^= std::byte{4};
    const auto found = check(log);
    if (unused[flipped] ? found.has_value() : found.has_value() != (flipped < last)) std::abort();
    if (found && *found > flipped) std::abort();
}

}  // namespace
}  // namespace bough::rocksdb_log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    bough::rocksdb_log::check(bytes);
    if (!bytes.empty()) bough::rocksdb_log::check_records(bytes);
    return 0;
}
