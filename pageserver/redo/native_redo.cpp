#include "pageserver/redo/native_redo.hpp"

#include <array>
#include <cstring>

#include "pg/v15/record.hpp"
#include "pg/v15/redo.hpp"

namespace bough::pageserver {
namespace {

// The record's reference to the page, if there is just one.
const pg::v15::BlockReference* reference_to(const pg::PageTag& tag, const pg::v15::Record& record) {
    const pg::v15::BlockReference* found = nullptr;
    for (const pg::v15::BlockReference& block : record.blocks()) {
        if (block.tag != tag) continue;
        if (found != nullptr) return nullptr;
        found = &block;
    }
    return found;
}

bool apply_all(const RedoRequest& request, pg::Page page) {
    if (request.base != nullptr)
        std::memcpy(page.data(), request.base, page.size());
    else
        std::memset(page.data(), 0, page.size());
    thread_local pg::v15::Record record;  // room for 33 block references, which need not be made anew
    for (const RedoRecord& r : request.records) {
        if (!record.decode({r.start, r.end, r.bytes})) return false;
        const pg::v15::BlockReference* block = reference_to(request.tag, record);
        if (block == nullptr || !pg::v15::redo(record, *block, request.hint_bits_logged, page)) return false;
    }
    return true;
}

}  // namespace

bool redo_natively(const RedoRequest& request, pg::Page out) {
    if (request.base != out.data()) return apply_all(request, out);
    std::array<std::byte, pg::kPageBytes> made;
    if (!apply_all(request, pg::Page(made))) return false;
    std::memcpy(out.data(), made.data(), made.size());
    return true;
}

}  // namespace bough::pageserver
