#include "pg/free_space_map.hpp"
#include "pg/page_edit.hpp"
#include "pg/v15/extract.hpp"
#include "pg/visibility_map.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kCreate = 0x10;
constexpr std::uint8_t kTruncate = 0x20;

constexpr std::uint32_t kTruncateHeap = 0x1;
constexpr std::uint32_t kTruncateVisibility = 0x2;
constexpr std::uint32_t kTruncateFreeSpace = 0x4;

Result<void> extract_create(Extraction& x) {
    ByteReader data = x.main_data();
    const auto relation = data.take<Relation>();
    const auto fork = data.take<std::uint32_t>();
    if (data.failed() || fork > static_cast<std::uint32_t>(Fork::init)) return x.corrupt("invalid relation creation");
    x.sink.fork_create({relation, static_cast<Fork>(fork)});
    return {};
}

// What is left of the map's last page keeps no entries of blocks that are gone.
void truncate_free_space(Extraction& x, const Relation& relation, std::uint32_t blocks) {
    const auto [block, slot] = free_space_slot(blocks);
    if (slot > 0) {
        x.buffer.clear();
        append_free_space_truncate(x.buffer, slot);
        x.sink.page_edit({{relation, Fork::free_space}, block}, false, x.buffer);
    }
    x.sink.fork_truncate({relation, Fork::free_space}, free_space_map_blocks(blocks));
}

void truncate_visibility(Extraction& x, const Relation& relation, std::uint32_t blocks) {
    const auto [block, slot] = visibility_slot(blocks);
    if (slot > 0) {
        x.buffer.clear();
        append_visibility_truncate(x.buffer, slot);
        x.sink.page_edit({{relation, Fork::visibility}, block}, false, x.buffer);
    }
    x.sink.fork_truncate({relation, Fork::visibility}, visibility_map_blocks(blocks));
}

Result<void> extract_truncate(Extraction& x) {
    ByteReader data = x.main_data();
    const auto blocks = data.take<std::uint32_t>();
    const auto relation = data.take<Relation>();
    const auto flags = data.take<std::uint32_t>();
    if (data.failed()) return x.corrupt("too short for a truncation");
    x.sink.fork_create({relation, Fork::main});  // redo makes it if it is not there
    if ((flags & kTruncateHeap) != 0) x.sink.fork_truncate({relation, Fork::main}, blocks);
    if ((flags & kTruncateFreeSpace) != 0) truncate_free_space(x, relation, blocks);
    if ((flags & kTruncateVisibility) != 0) truncate_visibility(x, relation, blocks);
    return {};
}

}  // namespace

Result<void> extract_smgr(Extraction& x) {
    switch (x.record.operation()) {
        case kCreate: return extract_create(x);
        case kTruncate: return extract_truncate(x);
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
