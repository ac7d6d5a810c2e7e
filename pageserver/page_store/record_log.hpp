// Private to this folder: RocksDB's logs (the MANIFEST, and the log of the metadata rows), as far as telling whether they are whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bough::pageserver {

// Looks at a log, given in pieces of kBlockBytes from its beginning, and checks each record's checksum. Any bytes may be given.
//
// A record that is not whole at the very end of a log is no damage: a crash while it was written leaves that, and nobody was told that it
// is there. So a record that is not right counts once something right follows it.
class RecordLogCheck {
public:
    static constexpr std::size_t kBlockBytes = 32 << 10;

    // All pieces but the last have kBlockBytes.
    void add(std::span<const std::byte> block);

    // Where the first damaged record begins, in bytes from the beginning of the log.
    std::optional<std::uint64_t> damage() const { return damage_; }
    std::uint64_t records() const { return records_; }

private:
    std::uint64_t begin_ = 0;  // of the next block
    std::uint64_t records_ = 0;
    std::optional<std::uint64_t> wrong_;   // the first that is not right
    std::optional<std::uint64_t> damage_;  // that, once something right followed
};

}  // namespace bough::pageserver
