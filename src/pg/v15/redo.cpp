#include "pg/v15/redo.hpp"

#include "pg/v15/heap_format.hpp"
#include "pg/v15/redo_step.hpp"
#include "pg/v15/version.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kXlogImageForHint = 0xA0;
constexpr std::uint8_t kXlogImage = 0xB0;

using Redo = bool (*)(RedoStep);

Redo redo_of(std::uint8_t resource_manager) {
    switch (static_cast<ResourceManager>(resource_manager)) {
        case ResourceManager::heap: return redo_heap;
        case ResourceManager::heap2: return redo_heap2;
        case ResourceManager::btree: return redo_btree;
        default: return nullptr;
    }
}

bool is_image_record(const Record& record) {
    return record.resource_manager() == static_cast<std::uint8_t>(ResourceManager::xlog) &&
           (record.operation() == kXlogImage || record.operation() == kXlogImageForHint);
}

bool sets_visibility(const Record& record) {
    return record.resource_manager() == static_cast<std::uint8_t>(ResourceManager::heap2) &&
           (record.operation() & kHeapOperationMask) == kHeap2Visible;
}

}  // namespace

bool redo(const Record& record, const BlockReference& block, bool hint_bits_logged, Page page) {
    if (is_image_record(record)) return block.apply_image && !block.will_init && restore_image(record, block, page).has_value();
    const Redo redo = redo_of(record.resource_manager());
    if (redo == nullptr) return false;
    const RedoStep step{record, block, ItemPage(page), hint_bits_logged};
    if (block.will_init) return !block.apply_image && block.tag.fork.fork == Fork::main && redo(step);
    // Of these resource managers, none does more to a page than restore its image.
    if (block.apply_image) return restore_image(record, block, page).has_value();

    const bool is_new = page_is_new(page);
    const bool is_map = block.tag.fork.fork == Fork::visibility;
    if (is_new && !is_map) return false;
    if (record.end() <= page_lsn(page)) return true;  // had it before: passed over, as in recovery
    if (is_map) return sets_visibility(record) && redo_visibility_map(step);
    return block.tag.fork.fork == Fork::main && step.page.sound() && redo(step);
}

}  // namespace bough::pg::v15
