#include "pg/item_page.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bough::pg {
namespace {

// More line pointers than fit on a page: one for each four bytes.
constexpr std::size_t kLinesMax = (kPageBytes - sizeof(PageHeader)) / ItemPage::kLineBytes;
// PageIndexMultiDelete goes item by item up to here; the bytes left in the free space differ.
constexpr std::size_t kRemovedSinglyMax = 2;

constexpr std::uint32_t kFifteenBits = 0x7FFF;

}  // namespace

bool ItemPage::sound() const {
    return lower() >= sizeof(PageHeader) && lower() <= upper() && upper() <= special() && special() <= kPageBytes &&
           special() % kMaxAlign == 0;
}

void ItemPage::set_flag(std::uint16_t flag, bool on) { set(offsetof(PageHeader, flags), on ? flags() | flag : flags() & ~flag); }

std::span<std::byte> ItemPage::item(std::size_t number) const {
    if (!has(number)) return {};
    const LinePointer at = line(number);
    if (at.state != LineState::normal || !is_placed(at)) return {};
    return page_.subspan(at.offset, at.length);
}

std::span<std::byte> ItemPage::stored(std::size_t number) const {
    if (!has(number)) return {};
    const LinePointer at = line(number);
    return is_placed(at) ? page_.subspan(at.offset, at.length) : std::span<std::byte>();
}

std::byte* ItemPage::add(std::size_t length, std::size_t number, Placing placing) {
    const std::size_t next = count() + 1;
    if (length == 0 || length > kPageBytes || number < 1 || number > next) return nullptr;
    if (upper() % kMaxAlign != 0) return nullptr;
    const bool shifts = placing == Placing::shift && number < next;
    if (placing == Placing::overwrite && number < next) {
        const LinePointer old = line(number);
        if (old.state != LineState::unused || old.has_storage()) return nullptr;
    }
    const std::size_t new_lower = lower() + (number == next || shifts ? kLineBytes : 0);
    const std::size_t room = max_align(length);
    if (new_lower + room > upper()) return nullptr;
    const std::size_t new_upper = upper() - room;
    if (shifts) {
        std::byte* from = line_at(number);
        std::memmove(from + kLineBytes, from, (next - number) * kLineBytes);
    }
    set_lower(new_lower);
    set_upper(new_upper);
    set_line(number, {static_cast<std::uint16_t>(new_upper), LineState::normal, static_cast<std::uint16_t>(length)});
    return page_.data() + new_upper;
}

bool ItemPage::add(std::span<const std::byte> item, std::size_t number, Placing placing) {
    std::byte* room = add(item.size(), number, placing);
    if (room == nullptr) return false;
    std::memcpy(room, item.data(), item.size());
    return true;
}

bool ItemPage::remove(std::size_t number) {
    if (!has(number)) return false;
    const LinePointer gone = line(number);
    if (!is_placed(gone)) return false;
    const std::size_t size = max_align(gone.length);
    const std::size_t old_upper = upper();
    if (gone.offset + size > special()) return false;

    std::byte* at = line_at(number);
    std::memmove(at, at + kLineBytes, (count() - number) * kLineBytes);
    std::memmove(page_.data() + old_upper + size, page_.data() + old_upper, gone.offset - old_upper);
    set_upper(old_upper + size);
    set_lower(lower() - kLineBytes);
    for (std::size_t i = 1; i <= count(); i++) {
        LinePointer other = line(i);
        if (other.offset > gone.offset) continue;
        other.offset = static_cast<std::uint16_t>(other.offset + size);
        if (other.offset > kFifteenBits) return false;
        set_line(i, other);
    }
    return true;
}

bool ItemPage::remove(std::span<const ItemNumber> numbers) {
    if (numbers.size() <= kRemovedSinglyMax) {
        for (std::size_t i = numbers.size(); i > 0; i--)
            if (!remove(numbers[i - 1])) return false;
        return true;
    }
    std::size_t kept = 0, next_gone = 0;
    const std::size_t lines = count();
    for (std::size_t i = 1; i <= lines; i++) {
        const LinePointer at = line(i);
        // Only BRIN has items without storage, and its redo is left to Postgres.
        if (!is_placed(at) || !at.has_storage() || at.state == LineState::unused) return false;
        if (next_gone < numbers.size() && numbers[next_gone] == i)
            next_gone++;
        else
            set_line(++kept, at);
    }
    if (next_gone != numbers.size()) return false;
    set_lower(sizeof(PageHeader) + kept * kLineBytes);
    return compact();
}

bool ItemPage::replace(std::size_t number, std::span<const std::byte> item) {
    if (!has(number)) return false;
    LinePointer changed = line(number);
    if (!is_placed(changed)) return false;
    const std::size_t old_size = max_align(std::size_t{changed.length}), new_size = max_align(item.size());
    if (changed.offset + old_size > special() || new_size > old_size + (upper() - lower())) return false;
    if (new_size != old_size) {
        // In either direction; the item's end stays where it is.
        const std::size_t old_upper = upper(), new_upper = old_upper + old_size - new_size, place = changed.offset;
        std::memmove(page_.data() + new_upper, page_.data() + old_upper, place - old_upper);
        set_upper(new_upper);
        for (std::size_t i = 1; i <= count(); i++) {
            LinePointer other = line(i);
            if (!other.has_storage() || other.offset > place) continue;
            const std::size_t moved = other.offset + old_size - new_size;
            if (moved > kPageBytes) return false;
            other.offset = static_cast<std::uint16_t>(moved);
            set_line(i, other);
        }
        changed.offset = static_cast<std::uint16_t>(place + old_size - new_size);
    }
    changed.length = static_cast<std::uint16_t>(item.size());
    set_line(number, changed);
    std::memcpy(page_.data() + changed.offset, item.data(), item.size());
    return true;
}

bool ItemPage::compact() {
    struct Placed {
        std::uint16_t number, offset, size;
    };
    std::array<Placed, kLinesMax> items;  // not initialised: it is far larger than what most pages need of it
    std::size_t found = 0, total = 0;
    const std::size_t lines = count();
    const std::size_t lower = this->lower(), upper = this->upper(), special = this->special();
    std::size_t previous = special;
    bool descending = true, apart = true;
    for (std::size_t i = 1; i <= lines; i++) {
        const LinePointer at = line(i);
        if (at.state == LineState::unused || !at.has_storage()) continue;
        const std::size_t size = max_align(std::size_t{at.length}), end = at.offset + size;
        if (at.offset < upper || at.offset % kMaxAlign != 0 || end > special) return false;
        descending = descending && at.offset < previous;
        apart = apart && end <= previous;
        previous = at.offset;
        total += size;
        items[found++] = {static_cast<std::uint16_t>(i), at.offset, static_cast<std::uint16_t>(size)};
    }
    if (total > special - lower) return false;
    // Items in order that overlap: what Postgres makes of them depends on the order of its copies.
    if (descending && !apart) return false;
    // Items out of order may be moved over others: they are taken from a copy.
    std::array<std::byte, kPageBytes> before;
    const std::byte* from = page_.data();
    if (!descending) from = static_cast<const std::byte*>(std::memcpy(before.data() + upper, from + upper, special - upper)) - upper;
    std::size_t top = special;
    // Each moves up, items in order into what is free or was moved before: runs of neighbours move as one.
    for (std::size_t i = 0; i < found;) {
        const std::size_t end = std::size_t{items[i].offset} + items[i].size, run_top = top;
        std::size_t begin = end;
        for (; i < found && std::size_t{items[i].offset} + items[i].size == begin; i++) {
            begin = items[i].offset;
            top -= items[i].size;
            if (top == begin) continue;
            LinePointer moved = line(items[i].number);
            moved.offset = static_cast<std::uint16_t>(top);
            set_line(items[i].number, moved);
        }
        if (run_top != end) std::memmove(page_.data() + top, from + begin, end - begin);
    }
    set_upper(top);
    return true;
}

}  // namespace bough::pg
