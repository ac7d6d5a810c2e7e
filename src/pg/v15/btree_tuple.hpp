// Posting lists: index tuples of one key and many rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pg/v15/btree_format.hpp"

namespace bough::pg::v15 {

// An index tuple at the front of `bytes`, if it is whole.
class IndexTupleView {
public:
    static std::optional<IndexTupleView> of(std::span<const std::byte> bytes);

    std::span<const std::byte> bytes() const { return bytes_; }  // as long as the tuple says it is
    bool is_posting() const;
    // Bytes before the rows of a posting list; the whole tuple if it is none.
    std::size_t key_bytes() const { return key_bytes_; }
    std::size_t row_count() const { return row_count_; }
    RowId row(std::size_t i) const;

private:
    std::span<const std::byte> bytes_;
    IndexTuple start_{};
    std::size_t key_bytes_ = 0;
    std::size_t row_count_ = 1;
};

// A tuple of one page's size at most, put together.
class IndexTupleBuffer {
public:
    // The key of `base` with these rows instead of its own. False if that is no tuple that a leaf may have.
    bool form(const IndexTupleView& base, std::span<const RowId> rows);
    std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

private:
    alignas(8) std::byte bytes_[kIndexSizeMask + 1];
    std::size_t size_ = 0;
};

// A posting list is split: the new row goes into the list at `place`, and the list's last row into the new tuple instead.
// Changes both in place. False unless `list` is a posting list of more than `place` rows, and place is not 0.
bool swap_into_posting(std::span<std::byte> list, std::span<std::byte> new_tuple, std::size_t place);

}  // namespace bough::pg::v15
