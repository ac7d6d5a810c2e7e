#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kHashSplitAllocatePage = 0x40;
constexpr std::uint8_t kHashSplitComplete = 0x60;
constexpr std::uint8_t kGistPageUpdate = 0x00;
constexpr std::uint8_t kGistPageSplit = 0x30;

// Redo mostly leaves a page alone once it has restored its image. These are the exceptions: what they set is not yet in the
// image, because the writer takes images before it knows the record's own LSN, or changes the page afterwards.
bool redo_goes_beyond_image(const Record& record, const BlockReference& block) {
    switch (static_cast<ResourceManager>(record.resource_manager())) {
        case ResourceManager::hash:
            // Flags of the old bucket's page; when the split completes, of both.
            return (record.operation() == kHashSplitAllocatePage && block.id == 0) ||
                   (record.operation() == kHashSplitComplete && block.id <= 1);
        case ResourceManager::gist:
            // The left child's follow-right flag and its node sequence number, which is the record's LSN.
            return (record.operation() == kGistPageUpdate && block.id == 1) ||
                   (record.operation() == kGistPageSplit && block.id == 0);
        default: return false;
    }
}

}  // namespace

Result<void> extract_block_image(Extraction& x, const BlockReference& block) {
    if (is_plain_image(block)) {
        x.sink.page_image_without_hole(block.tag, block.image, block.hole_offset, x.record.end());
        return {};
    }
    BOUGH_TRY(restore_image(x.record, block, x.page));
    x.sink.page_image(block.tag, x.page);
    return {};
}

Result<void> extract_block(Extraction& x, const BlockReference& block) {
    // A page that redo initialises has no use for an image (there is one only for wal_consistency_checking).
    const bool from_image = block.apply_image && !block.will_init;
    const bool needs_record = !from_image || redo_goes_beyond_image(x.record, block);
    if (!needs_record) return extract_block_image(x, block);
    // Free space is not logged but in images.
    if (block.tag.fork.fork == Fork::free_space) return {};
    const PageBase base = block.will_init || from_image ? PageBase::zero : PageBase::previous;
    x.sink.page_record(block.tag, base, record_for_page(x.record, block, from_image, x.buffer));
    return {};
}

Result<void> extract_blocks(Extraction& x) {
    for (const BlockReference& block : x.record.blocks()) BOUGH_TRY(extract_block(x, block));
    return {};
}

}  // namespace bough::pg::v15
