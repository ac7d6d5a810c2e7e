#include "pg/v15/btree_tuple.hpp"

#include <cstring>

#include "pg/bytes.hpp"

namespace bough::pg::v15 {

std::optional<IndexTupleView> IndexTupleView::of(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(IndexTuple)) return std::nullopt;
    IndexTupleView view;
    view.start_ = load<IndexTuple>(bytes.data());
    const std::size_t size = view.start_.info & kIndexSizeMask;
    if (size < sizeof(IndexTuple) || size > bytes.size()) return std::nullopt;
    view.bytes_ = bytes.first(size);
    view.key_bytes_ = size;
    if (!view.is_posting()) return view;
    view.key_bytes_ = std::size_t{view.start_.row.block_high} << 16 | view.start_.row.block_low;
    view.row_count_ = view.start_.row.item & kBtreeCountMask;
    if (view.key_bytes_ < sizeof(IndexTuple) || view.key_bytes_ > size ||
        view.row_count_ * sizeof(RowId) > size - view.key_bytes_)
        return std::nullopt;
    return view;
}

bool IndexTupleView::is_posting() const {
    return (start_.info & kIndexAlternativeRow) != 0 && (start_.row.item & kBtreeIsPosting) != 0;
}

RowId IndexTupleView::row(std::size_t i) const {
    return is_posting() ? load<RowId>(bytes_.data() + key_bytes_ + i * sizeof(RowId)) : start_.row;
}

bool IndexTupleBuffer::form(const IndexTupleView& base, std::span<const RowId> rows) {
    const std::size_t key = base.key_bytes(), count = rows.size();
    if (count == 0 || count > kBtreeCountMask) return false;
    size_ = count > 1 ? max_align(key + count * sizeof(RowId)) : key;
    if (size_ > kIndexSizeMask) return false;
    std::memcpy(bytes_, base.bytes().data(), key);
    std::memset(bytes_ + key, 0, size_ - key);
    auto start = load<IndexTuple>(bytes_);
    start.info = static_cast<std::uint16_t>((start.info & ~kIndexSizeMask) | size_);
    if (count > 1) {
        start.info |= kIndexAlternativeRow;
        start.row = {0, static_cast<std::uint16_t>(key), static_cast<std::uint16_t>(count | kBtreeIsPosting)};
        std::memcpy(bytes_ + key, rows.data(), rows.size_bytes());
    } else {
        start.info = static_cast<std::uint16_t>(start.info & ~kIndexAlternativeRow);
        start.row = rows[0];
    }
    store(bytes_, start);
    return true;
}

bool swap_into_posting(std::span<std::byte> list, std::span<std::byte> new_tuple, std::size_t place) {
    const auto view = IndexTupleView::of(list);
    if (!view || !view->is_posting() || new_tuple.size() < sizeof(IndexTuple)) return false;
    const std::size_t count = view->row_count();
    if (place == 0 || place >= count || view->bytes().size() % kMaxAlign != 0) return false;
    const RowId last = view->row(count - 1);
    std::byte* at = list.data() + view->key_bytes() + place * sizeof(RowId);
    std::memmove(at + sizeof(RowId), at, (count - place - 1) * sizeof(RowId));
    std::memcpy(at, new_tuple.data(), sizeof(RowId));
    store(new_tuple.data(), last);
    return true;
}

}  // namespace bough::pg::v15
