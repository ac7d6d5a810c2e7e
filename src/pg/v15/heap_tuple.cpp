#include "pg/v15/heap_tuple.hpp"

#include "pg/slru_layout.hpp"

namespace bough::pg::v15 {
namespace {

std::uint16_t with(unsigned mask, bool condition, std::uint16_t bit) {
    return static_cast<std::uint16_t>(condition ? mask | bit : mask);
}

}  // namespace

std::optional<HeapTuple> HeapTuple::find(const ItemPage& page, std::size_t item) {
    const auto bytes = page.item(item);
    if (bytes.size() < sizeof(HeapTupleHeader)) return std::nullopt;
    return HeapTuple{load<HeapTupleHeader>(bytes.data()), bytes};
}

void HeapTuple::set_xmax(std::uint32_t xmax, std::uint8_t infobits) {
    std::uint16_t mask = header.infomask & static_cast<std::uint16_t>(~(kXmaxBits | kMoved));
    mask = with(mask, (infobits & kInfoXmaxIsMulti) != 0, kXmaxIsMulti);
    mask = with(mask, (infobits & kInfoXmaxLockOnly) != 0, kXmaxLockOnly);
    mask = with(mask, (infobits & kInfoXmaxExclusiveLock) != 0, kXmaxExclusiveLock);
    mask = with(mask, (infobits & kInfoXmaxKeyShareLock) != 0, kXmaxKeyShareLock);
    header.infomask = mask;
    header.infomask2 = with(header.infomask2 & ~unsigned{kKeysUpdated}, (infobits & kInfoKeysUpdated) != 0, kKeysUpdated);
    header.xmax = xmax;
}

HeapTupleHeader new_tuple(const HeapTupleStart& start, std::uint32_t xid, std::uint32_t block, std::uint16_t item) {
    HeapTuple tuple{};
    tuple.header.xmin = xid;
    tuple.header.infomask2 = start.infomask2;
    tuple.header.infomask = start.infomask;
    tuple.header.data_offset = start.data_offset;
    tuple.clear_command();
    tuple.set_next(block, item);
    return tuple.header;
}

std::byte* add_tuple_space(ItemPage page, std::size_t bytes, std::size_t item) {
    if (bytes > kHeapTupleBytesMax || item > kHeapItemsMax) return nullptr;
    return page.add(bytes, item, ItemPage::Placing::overwrite);
}

bool add_tuple(ItemPage page, const HeapTupleHeader& header, std::span<const std::byte> data, std::size_t item) {
    std::byte* at = add_tuple_space(page, sizeof(header) + data.size(), item);
    if (at == nullptr) return false;
    store(at, header);
    std::memcpy(at + sizeof(header), data.data(), data.size());
    return true;
}

void set_prunable(ItemPage page, std::uint32_t xid) {
    std::byte* at = page.bytes().data() + offsetof(PageHeader, prune_xid);
    const auto oldest = load<std::uint32_t>(at);
    if (oldest == 0 || xid_precedes(xid, oldest)) store(at, xid);
}

}  // namespace bough::pg::v15
