// RocksDB's logs (the MANIFEST, and the logs of writes), as far as telling whether they are whole. Format: rocksdb/db/log_format.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "bough/error.hpp"

namespace bough::rocksdb_log {

// Looks at a log, given in pieces of kBlockBytes from its beginning, and checks each record's checksum. Any bytes may be given.
//
// A record that is not whole at the very end of a log is no damage: a crash while it was written leaves that, in any order of its parts,
// and nobody was told that it is there. Each record is durable before the next is begun, so one that is not right is damage once a
// whole one follows it. What follows is also looked for behind bytes that do not say where the next record begins.
class RecordLogCheck {
public:
    static constexpr std::size_t kBlockBytes = 32 << 10;

    // All pieces but the last have kBlockBytes.
    void add(std::span<const std::byte> block);

    // Where the first damaged record or part of one begins, in bytes from the beginning of the log.
    std::optional<std::uint64_t> damage() const { return damage_; }
    // Where the log is not right any more: damage, or an end that was not finished.
    std::optional<std::uint64_t> broken() const { return wrong_ ? wrong_ : open_; }
    // Whole ones, those behind damage too.
    std::uint64_t records() const { return records_; }

private:
    enum class Part { all, first, middle, last };

    void take(Part part, std::uint64_t at);
    void note_wrong(std::uint64_t at);
    void note_whole();
    // Where in the block, from `at` on, a record begins; the block's size when none does.
    static std::size_t find_beginning(std::span<const std::byte> block, std::size_t at);

    std::uint64_t begin_ = 0;  // of the next block
    std::uint64_t records_ = 0;
    std::optional<std::uint64_t> open_;    // the record whose last part is yet to come
    std::optional<std::uint64_t> wrong_;   // the first that is not right
    std::optional<std::uint64_t> damage_;  // that, once a whole one followed
};

// As long as the file is when it is opened: an open store may be writing to it. not_found, io.
Result<RecordLogCheck> read_record_log(const std::filesystem::path& path);

}  // namespace bough::rocksdb_log
