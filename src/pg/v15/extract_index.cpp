// The resource managers whose records change nothing but the pages they refer to.
#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {
namespace {

// Bit n stands for operation n << 4: what Postgres 15's redo functions know.
constexpr std::uint16_t operations_of(ResourceManager manager) {
    switch (manager) {
        case ResourceManager::btree: return 0x7FFF;       // insert leaf .. meta cleanup
        case ResourceManager::hash: return 0x1FFF;        // init meta page .. vacuum one page
        case ResourceManager::gin: return 0x03FE;         // create posting tree .. vacuum data leaf page
        case ResourceManager::gist: return 0x00CF;        // update, delete, reuse, split, page delete, assign LSN
        case ResourceManager::seq: return 0x0001;         // log
        case ResourceManager::spgist: return 0x01FE;      // add leaf .. vacuum redirect
        case ResourceManager::brin: return 0x3F3F;        // create index .. desummarize, and with the init-page bit 0x80
        case ResourceManager::logicalmsg: return 0x0001;  // for logical decoding only
        case ResourceManager::generic: return 0xFFFF;     // its redo looks at no operation
        default: return 0;
    }
}

}  // namespace

Result<void> extract_index(Extraction& x) {
    const auto known = operations_of(static_cast<ResourceManager>(x.record.resource_manager()));
    if ((known >> (x.record.operation() >> 4) & 1) == 0) return x.unknown_operation();
    return extract_blocks(x);
}

}  // namespace bough::pg::v15
