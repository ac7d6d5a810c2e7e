#include "pg/wal_segment.hpp"

#include <array>
#include <charconv>
#include <cstdio>

#include "bough/check.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg {
namespace {

std::uint64_t segments_per_log_id(std::uint32_t segment_bytes) {
    BOUGH_CHECK(valid_wal_segment_bytes(segment_bytes));
    return (std::uint64_t{1} << 32) / segment_bytes;
}

// Eight upper-case hex digits.
std::optional<std::uint32_t> parse_word(std::string_view digits) {
    if (digits.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) return std::nullopt;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace

SegmentNumber segment_of(Lsn lsn, std::uint32_t segment_bytes) {
    BOUGH_CHECK(valid_wal_segment_bytes(segment_bytes));
    return {lsn.value / segment_bytes};
}

Lsn segment_begin(SegmentNumber segment, std::uint32_t segment_bytes) {
    BOUGH_CHECK(valid_wal_segment_bytes(segment_bytes));
    return Lsn{segment.value * segment_bytes};
}

std::string wal_segment_name(SegmentNumber segment, std::uint32_t segment_bytes, std::uint32_t timeline) {
    const std::uint64_t per_id = segments_per_log_id(segment_bytes);
    std::array<char, 25> name;
    std::snprintf(name.data(), name.size(), "%08X%08X%08X", timeline, static_cast<std::uint32_t>(segment.value / per_id),
                  static_cast<std::uint32_t>(segment.value % per_id));
    return std::string(name.data(), 24);
}

std::optional<WalSegmentName> parse_wal_segment_name(std::string_view name, std::uint32_t segment_bytes) {
    if (name.size() != 24) return std::nullopt;
    const auto timeline = parse_word(name.substr(0, 8));
    const auto log_id = parse_word(name.substr(8, 8));
    const auto within = parse_word(name.substr(16, 8));
    const std::uint64_t per_id = segments_per_log_id(segment_bytes);
    if (!timeline || !log_id || !within || *timeline == 0 || *within >= per_id) return std::nullopt;
    return WalSegmentName{SegmentNumber{*log_id * per_id + *within}, *timeline};
}

}  // namespace bough::pg
