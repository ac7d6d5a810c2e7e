// Redo of the resource manager Btree, but for the deletion of pages, which is rare.
#include <array>
#include <vector>

#include "pg/v15/btree_format.hpp"
#include "pg/v15/btree_tuple.hpp"
#include "pg/v15/redo_step.hpp"

namespace bough::pg::v15 {
namespace {

using Placing = ItemPage::Placing;

// Every page has the special space, or is none of a btree.
bool has_special(const ItemPage& page) { return page.special() == kPageBytes - sizeof(BtreeSpecial); }
BtreeSpecial special_of(const ItemPage& page) { return load<BtreeSpecial>(page.special_space().data()); }
void set_special(ItemPage page, const BtreeSpecial& special) { store(page.special_space().data(), special); }
std::size_t first_data_item(const BtreeSpecial& special) { return special.next == kBtreeNoBlock ? 1u : 2u; }

// An item as a record has it: its size on the page is its own, rounded up.
std::optional<std::span<const std::byte>> take_tuple(std::span<const std::byte>& from) {
    if (from.size() < sizeof(IndexTuple)) return std::nullopt;
    const std::size_t size = max_align(std::size_t{load<IndexTuple>(from.data()).info} & kIndexSizeMask);
    if (size < sizeof(IndexTuple) || size > from.size()) return std::nullopt;
    const auto tuple = from.first(size);
    from = from.subspan(size);
    return tuple;
}

// The child below is split no longer: its right half has a downlink now.
bool clear_incomplete_split(RedoStep& step) {
    if (step.block.will_init || !has_special(step.page)) return false;
    BtreeSpecial special = special_of(step.page);
    special.flags = static_cast<std::uint16_t>(special.flags & ~kBtreeIncompleteSplit);
    set_special(step.page, special);
    return step.finish();
}

bool restore_meta(RedoStep& step) {
    if (!step.block.will_init || step.block.data.size() != sizeof(BtreeMetaRecord)) return false;
    const auto logged = load<BtreeMetaRecord>(step.block.data.data());
    if (logged.version < kBtreeVersionMin) return false;
    init_page(step.page.bytes(), sizeof(BtreeSpecial));
    BtreeMeta meta{};
    meta.magic = kBtreeMagic;
    meta.version = logged.version;
    meta.root = logged.root;
    meta.level = logged.level;
    meta.fast_root = logged.fast_root;
    meta.fast_level = logged.fast_level;
    meta.last_cleanup_deleted_pages = logged.last_cleanup_deleted_pages;
    meta.last_cleanup_heap_tuples = -1.0;
    if (logged.all_equal_image > 1) return false;
    meta.all_equal_image = logged.all_equal_image;
    store(step.page.bytes().data() + kPageContentsOffset, meta);
    BtreeSpecial special{};
    special.flags = kBtreeMeta;
    set_special(step.page, special);
    step.page.set_lower(kPageContentsOffset + sizeof(BtreeMeta));
    return step.finish();
}

// ---- inserts

bool insert_with_posting_split(RedoStep& step, std::size_t item, std::span<const std::byte> data) {
    if (data.size() < sizeof(std::uint16_t)) return false;
    const std::size_t place = load<std::uint16_t>(data.data());
    const auto tuple = data.subspan(sizeof(std::uint16_t));
    const auto view = IndexTupleView::of(tuple);
    if (!view || view->bytes().size() != tuple.size()) return false;
    std::array<std::byte, kIndexSizeMask + 1> copy;
    const auto new_tuple = std::span(copy).first(tuple.size());
    std::memcpy(new_tuple.data(), tuple.data(), tuple.size());
    return item > 1 && swap_into_posting(step.page.stored(item - 1), new_tuple, place) &&
           step.page.add(new_tuple, item, Placing::shift);
}

bool redo_insert(RedoStep& step, bool posting) {
    BtreeInsert main;
    if (!step.take_main(main) || step.block.will_init || !has_special(step.page)) return false;
    const auto data = step.block.data;
    const bool inserted =
        posting ? insert_with_posting_split(step, main.item, data) : step.page.add(data, main.item, Placing::shift);
    return inserted && step.finish();
}

// ---- splits and new roots

// A page's items out of a record, which has them last to first.
bool restore_items(ItemPage page, std::span<const std::byte> data) {
    std::vector<std::span<const std::byte>> items;
    while (!data.empty()) {
        const auto tuple = take_tuple(data);
        if (!tuple) return false;
        items.push_back(*tuple);
    }
    for (std::size_t i = items.size(); i > 0; i--)
        if (!page.add(items[i - 1], items.size() - i + 1, Placing::shift)) return false;
    return true;
}

bool redo_split_right_page(RedoStep& step, const BtreeSplit& main) {
    const BlockReference* left = step.record.block(0);
    const BlockReference* after = step.record.block(2);
    if (!step.block.will_init || left == nullptr) return false;
    init_page(step.page.bytes(), sizeof(BtreeSpecial));
    BtreeSpecial special{};
    special.previous = left->tag.block;
    special.next = after != nullptr ? after->tag.block : kBtreeNoBlock;
    special.level = main.level;
    special.flags = main.level == 0 ? kBtreeLeaf : std::uint16_t{0};
    set_special(step.page, special);
    return restore_items(step.page, step.block.data) && step.finish();
}

bool redo_split_left_page(RedoStep& step, const BtreeSplit& main, bool new_on_left) {
    const BlockReference* right = step.record.block(1);
    if (step.block.will_init || right == nullptr || !has_special(step.page)) return false;
    BtreeSpecial special = special_of(step.page);
    std::array<std::byte, kIndexSizeMask + 8> new_tuple, list;
    std::span<std::byte> inserted, replaced;
    std::size_t replaced_item = 0;
    auto data = step.block.data;
    if (new_on_left || main.posting != 0) {
        const auto tuple = take_tuple(data);
        if (!tuple) return false;
        inserted = std::span(new_tuple).first(tuple->size());
        std::memcpy(inserted.data(), tuple->data(), tuple->size());
    }
    if (main.posting != 0) {
        replaced_item = std::size_t{main.new_item} - 1;
        const auto old = step.page.stored(replaced_item);
        const auto view = IndexTupleView::of(old);
        if (!view || view->bytes().size() > list.size()) return false;
        replaced = std::span(list).first(view->bytes().size());
        std::memcpy(replaced.data(), old.data(), replaced.size());
        if (!swap_into_posting(replaced, inserted, main.posting)) return false;
    }
    const auto high_key = take_tuple(data);
    if (!high_key || !data.empty()) return false;

    std::array<std::byte, kPageBytes> made;
    ItemPage left{Page(made)};
    init_page(left.bytes(), sizeof(BtreeSpecial));
    std::size_t count = 0;
    const auto add = [&](std::span<const std::byte> item) { return !item.empty() && left.add(item, ++count, Placing::shift); };
    if (!add(*high_key)) return false;
    std::size_t item = first_data_item(special);
    for (; item < main.first_right; item++) {
        if (replaced_item != 0 && item == replaced_item) {
            if (!add(replaced)) return false;
            continue;
        }
        if (new_on_left && item == main.new_item && !add(inserted)) return false;
        if (!add(step.page.stored(item))) return false;
    }
    if (new_on_left && item == main.new_item && !add(inserted)) return false;

    special.flags = static_cast<std::uint16_t>(kBtreeIncompleteSplit | (main.level == 0 ? kBtreeLeaf : 0));
    special.next = right->tag.block;
    special.cycle_id = 0;
    set_special(left, special);
    std::memcpy(step.page.bytes().data(), made.data(), made.size());
    return step.finish();
}

bool redo_split(RedoStep& step, bool new_on_left) {
    BtreeSplit main;
    if (!step.take_main(main)) return false;
    switch (step.block.id) {
        case 0: return redo_split_left_page(step, main, new_on_left);
        case 1: return redo_split_right_page(step, main);
        case 2: {
            const BlockReference* right = step.record.block(1);
            if (step.block.will_init || right == nullptr || !has_special(step.page)) return false;
            BtreeSpecial special = special_of(step.page);
            special.previous = right->tag.block;
            set_special(step.page, special);
            return step.finish();
        }
        case 3: return main.level != 0 && clear_incomplete_split(step);
        default: return false;
    }
}

bool redo_new_root(RedoStep& step) {
    BtreeNewRoot main;
    if (!step.take_main(main)) return false;
    if (step.block.id == 1) return main.level > 0 && clear_incomplete_split(step);
    if (step.block.id == 2) return restore_meta(step);
    if (step.block.id != 0 || !step.block.will_init) return false;
    init_page(step.page.bytes(), sizeof(BtreeSpecial));
    BtreeSpecial special{};
    special.level = main.level;
    special.flags = static_cast<std::uint16_t>(kBtreeRoot | (main.level == 0 ? kBtreeLeaf : 0));
    set_special(step.page, special);
    return (main.level == 0 || restore_items(step.page, step.block.data)) && step.finish();
}

// ---- deduplication

// Merges neighbours of equal keys into posting lists, as the record's intervals say.
class Deduplication {
public:
    Deduplication(ItemPage to, std::span<const std::byte> intervals) : to_(to), intervals_(intervals) {}

    bool take(const IndexTupleView& tuple, std::size_t item) {
        if (item_count_ > 0 && goes_on()) {
            append_rows(tuple);
            item_count_++;
            return max_align(base_->key_bytes() + rows_.size() * sizeof(RowId)) <= kBtreeItemBytesMax;
        }
        if (!finish()) return false;
        base_ = tuple;
        base_item_ = item;
        item_count_ = 1;
        append_rows(tuple);
        return true;
    }

    // Puts down what is pending.
    bool finish() {
        if (item_count_ == 0) return true;
        const std::size_t next = to_.count() + 1;
        bool added = false;
        if (item_count_ == 1) {
            added = to_.add(base_->bytes(), next, Placing::shift);
        } else {
            added = formed_.form(*base_, rows_) && to_.add(formed_.bytes(), next, Placing::shift);
            interval_++;
        }
        rows_.clear();
        item_count_ = 0;
        return added;
    }

    bool all_done() const { return interval_ * sizeof(BtreeDedupInterval) == intervals_.size(); }

private:
    bool goes_on() const {
        if ((interval_ + 1) * sizeof(BtreeDedupInterval) > intervals_.size()) return false;
        const auto interval = load<BtreeDedupInterval>(intervals_.data() + interval_ * sizeof(BtreeDedupInterval));
        return interval.first == base_item_ && item_count_ < interval.items;
    }
    void append_rows(const IndexTupleView& tuple) {
        for (std::size_t i = 0; i < tuple.row_count(); i++) rows_.push_back(tuple.row(i));
    }

    ItemPage to_;
    std::span<const std::byte> intervals_;
    std::size_t interval_ = 0;
    std::optional<IndexTupleView> base_;
    std::size_t base_item_ = 0;
    std::size_t item_count_ = 0;  // tuples pending, the base included
    std::vector<RowId> rows_;
    IndexTupleBuffer formed_;
};

bool redo_dedup(RedoStep& step) {
    BtreeDedup main;
    const std::size_t bytes = step.take_main(main) ? main.intervals * sizeof(BtreeDedupInterval) : 0;
    if (bytes == 0 || step.block.id != 0 || step.block.will_init || step.block.data.size() != bytes || !has_special(step.page))
        return false;
    BtreeSpecial special = special_of(step.page);
    std::array<std::byte, kPageBytes> made;
    ItemPage to{Page(made)};
    init_page(to.bytes(), sizeof(BtreeSpecial));
    const std::size_t first = first_data_item(special);
    if (first > 1) {
        const auto high_key = step.page.stored(kBtreeHighKey);
        if (high_key.empty() || !to.add(high_key, kBtreeHighKey, Placing::shift)) return false;
    }
    Deduplication deduplication(to, step.block.data);
    for (std::size_t item = first; item <= step.page.count(); item++) {
        const auto tuple = IndexTupleView::of(step.page.stored(item));
        if (!tuple || !deduplication.take(*tuple, item)) return false;
    }
    if (!deduplication.finish() || !deduplication.all_done()) return false;
    special.flags = static_cast<std::uint16_t>(special.flags & ~kBtreeHasGarbage);
    set_special(to, special);
    std::memcpy(step.page.bytes().data(), made.data(), made.size());
    return step.finish();
}

// ---- deletion of items

// Takes rows out of a posting list. `places` are of those that go, in ascending order.
bool remove_rows(ItemPage page, std::size_t item, std::span<const std::byte> places) {
    const auto tuple = IndexTupleView::of(page.stored(item));
    if (!tuple || !tuple->is_posting()) return false;
    std::vector<RowId> kept;
    std::size_t next = 0;
    for (std::size_t i = 0; i < tuple->row_count(); i++) {
        if (next < places.size() && load<std::uint16_t>(places.data() + next) == i)
            next += sizeof(std::uint16_t);
        else
            kept.push_back(tuple->row(i));
    }
    IndexTupleBuffer shorter;
    return next == places.size() && shorter.form(*tuple, kept) && shorter.bytes().size() % kMaxAlign == 0 &&
           page.replace(item, shorter.bytes());
}

// Both kinds of deletion: items that go, and posting lists that lose rows.
bool redo_delete(RedoStep& step, std::size_t deleted, std::size_t updated) {
    if (step.block.id != 0 || step.block.will_init || !has_special(step.page)) return false;
    ByteReader data(step.block.data);
    const auto deleted_bytes = data.take_bytes(deleted * sizeof(ItemNumber));
    const auto updated_items = data.take_bytes(updated * sizeof(ItemNumber));
    for (std::size_t i = 0; i < updated; i++) {
        const std::size_t rows = data.take<std::uint16_t>();
        const auto places = data.take_bytes(rows * sizeof(std::uint16_t));
        if (data.failed()) return false;
        if (!remove_rows(step.page, load<ItemNumber>(updated_items.data() + i * sizeof(ItemNumber)), places)) return false;
    }
    if (data.failed()) return false;
    std::vector<ItemNumber> items(deleted);
    if (deleted > 0) std::memcpy(items.data(), deleted_bytes.data(), deleted_bytes.size());
    if (!step.page.remove(items)) return false;
    BtreeSpecial special = special_of(step.page);
    special.flags = static_cast<std::uint16_t>(special.flags & ~kBtreeHasGarbage);
    set_special(step.page, special);
    return step.finish();
}

bool redo_vacuum(RedoStep& step) {
    BtreeVacuum main;
    return step.take_main(main) && redo_delete(step, main.deleted, main.updated);
}

bool redo_delete(RedoStep& step) {
    BtreeDelete main;
    return step.take_main(main) && redo_delete(step, main.deleted, main.updated);
}

}  // namespace

bool redo_btree(RedoStep step) {
    const std::uint8_t id = step.block.id;
    switch (step.record.operation()) {
        case kBtreeInsertLeaf: return id == 0 && redo_insert(step, false);
        case kBtreeInsertPosting: return id == 0 && redo_insert(step, true);
        case kBtreeInsertUpper: return id == 0 ? redo_insert(step, false) : id == 1 && clear_incomplete_split(step);
        case kBtreeInsertMeta:
            if (id == 2) return restore_meta(step);
            return id == 0 ? redo_insert(step, false) : id == 1 && clear_incomplete_split(step);
        case kBtreeSplitLeft: return redo_split(step, true);
        case kBtreeSplitRight: return redo_split(step, false);
        case kBtreeDedup: return redo_dedup(step);
        case kBtreeDelete: return redo_delete(step);
        case kBtreeVacuum: return redo_vacuum(step);
        case kBtreeNewRoot: return redo_new_root(step);
        case kBtreeMetaCleanup: return id == 0 && restore_meta(step);
        default: return false;
    }
}

}  // namespace bough::pg::v15
