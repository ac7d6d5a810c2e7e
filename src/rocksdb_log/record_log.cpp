#include "rocksdb_log/record_log.hpp"

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/crc32c.hpp"

namespace bough::rocksdb_log {
namespace {

// A record, or a part of one, lies within a block: checksum u32, length u16, type u8, then its bytes. What is left of a block that is too
// short for that is zeros. Types 5 to 8 are those of a file that is used again, and have the log's number in front of their bytes.
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kNumberBytes = 4;
constexpr std::uint8_t kFirstType = 1;
constexpr std::uint8_t kFirstTypeWithNumber = 5;
constexpr std::uint8_t kLastTypeWithNumber = 8;
constexpr std::uint8_t kLastType = 9;  // says how the records are compressed, and is none itself

std::uint32_t little_endian(std::span<const std::byte> bytes, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
    return value;
}

// A checksum over bytes with checksums in them is weak, so they are stored turned and shifted.
std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

struct Fragment {
    std::uint8_t type = 0;  // without a number: 1 to 4, or kLastType
    std::size_t bytes = 0;
};

// At the beginning of `rest`, when it has one that is right.
std::optional<Fragment> fragment_at(std::span<const std::byte> rest) {
    if (rest.size() < kHeaderBytes) return std::nullopt;
    const auto type = std::to_integer<std::uint8_t>(rest[6]);
    if (type < kFirstType || type > kLastType) return std::nullopt;
    const bool with_number = type >= kFirstTypeWithNumber && type <= kLastTypeWithNumber;
    const std::size_t end = kHeaderBytes + little_endian(rest.subspan(4), 2) + (with_number ? kNumberBytes : 0);
    if (end > rest.size() || masked(crc32c(rest.subspan(6, end - 6))) != little_endian(rest, 4)) return std::nullopt;
    return Fragment{static_cast<std::uint8_t>(with_number ? type - kFirstTypeWithNumber + kFirstType : type), end};
}

bool is_zero(std::span<const std::byte> bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

void RecordLogCheck::add(std::span<const std::byte> block) {
    const std::uint64_t begin = begin_;
    begin_ += block.size();
    for (std::size_t at = 0; at < block.size();) {
        const auto rest = block.subspan(at);
        if (rest.size() < kHeaderBytes && block.size() == kBlockBytes) return;
        const auto fragment = fragment_at(rest);
        if (!fragment) {
            note_wrong(begin + at);
            // Room that was made in advance, or was never written to.
            if (is_zero(rest)) return;
            at = find_beginning(block, at + 1);
            continue;
        }
        if (fragment->type != kLastType) take(static_cast<Part>(fragment->type - kFirstType), begin + at);
        at += fragment->bytes;
    }
}

std::size_t RecordLogCheck::find_beginning(std::span<const std::byte> block, std::size_t at) {
    for (; at < block.size(); ++at) {
        const auto fragment = fragment_at(block.subspan(at));
        if (fragment && fragment->type <= kFirstType + static_cast<int>(Part::first)) return at;
    }
    return at;
}

void RecordLogCheck::take(Part part, std::uint64_t at) {
    const bool begins = part == Part::all || part == Part::first;
    if (begins && open_) note_wrong(*open_);
    // The rest of one that was not right is no news.
    if (!begins && !open_) return wrong_ ? void() : note_wrong(at);
    if (part == Part::first) open_ = at;
    if (part == Part::all || part == Part::last) note_whole();
}

void RecordLogCheck::note_wrong(std::uint64_t at) {
    if (!wrong_) wrong_ = at;
    open_.reset();
}

void RecordLogCheck::note_whole() {
    open_.reset();
    ++records_;
    if (wrong_ && !damage_) damage_ = wrong_;
}

Result<RecordLogCheck> read_record_log(const std::filesystem::path& path) {
    std::error_code failed;
    std::uint64_t left = std::filesystem::file_size(path, failed);
    std::ifstream file(path, std::ios::binary);
    if (failed || !file) return Error{ErrorCode::not_found, "could not open \"" + path.string() + "\"", {}};
    std::vector<char> block(RecordLogCheck::kBlockBytes);
    RecordLogCheck check;
    while (left > 0) {
        const auto wanted = std::min<std::uint64_t>(left, block.size());
        if (!file.read(block.data(), static_cast<std::streamsize>(wanted)))
            return Error{ErrorCode::io, "could not read \"" + path.string() + "\"", {}};
        check.add(std::as_bytes(std::span(block).first(wanted)));
        left -= wanted;
    }
    return check;
}

}  // namespace bough::rocksdb_log
