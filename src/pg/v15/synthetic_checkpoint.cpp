#include "pg/v15/synthetic_checkpoint.hpp"

#include <algorithm>

#include "pg/bytes.hpp"
#include "pg/wal_page_writer.hpp"

namespace bough::pg::v15 {

Result<SyntheticCheckpoint> append_shutdown_checkpoint(std::span<const std::byte> prefix, Lsn at, Lsn previous,
                                                       CheckPoint checkpoint, SystemId system_id, std::uint32_t segment_bytes) {
    BOUGH_ASSIGN(auto writer, WalPageWriter::open(system_id, segment_bytes, checkpoint.timeline, at, prefix));
    checkpoint.redo = writer.next_start();
    checkpoint.oldest_active_xid = 0;
    const auto placed = writer.append(as_bytes(shutdown_checkpoint_record(checkpoint, previous)));

    SyntheticCheckpoint result{.checkpoint = checkpoint, .end = placed.end, .segments = {}};
    const std::span<const std::byte> bytes = writer.bytes();
    for (std::size_t offset = 0; offset < bytes.size(); offset += segment_bytes) {
        const auto part = bytes.subspan(offset, std::min<std::size_t>(segment_bytes, bytes.size() - offset));
        std::vector<std::byte> content(part.begin(), part.end());
        content.resize(segment_bytes);
        result.segments.push_back({segment_of(writer.begin() + offset, segment_bytes), std::move(content)});
    }
    return result;
}

}  // namespace bough::pg::v15
