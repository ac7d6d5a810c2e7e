// A page of line pointers and the items they point to, changed as Postgres's page functions change it, byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pg/page_header.hpp"
#include "pg/page_tag.hpp"

namespace bough::pg {

// Postgres's OffsetNumber: the place of a line pointer, from 1.
using ItemNumber = std::uint16_t;

enum class LineState : std::uint8_t { unused = 0, normal = 1, redirect = 2, dead = 3 };

// ItemIdData, unpacked. A redirect's `offset` is the number of the item it leads to.
struct LinePointer {
    std::uint16_t offset = 0;
    LineState state = LineState::unused;
    std::uint16_t length = 0;

    bool has_storage() const { return length != 0; }

    // As it is stored: 15 bits of offset, two of state, 15 of length.
    static LinePointer unpack(std::uint32_t word) {
        return {static_cast<std::uint16_t>(word & 0x7FFF), static_cast<LineState>(word >> 15 & 3), static_cast<std::uint16_t>(word >> 17)};
    }
    std::uint32_t pack() const {
        return std::uint32_t{offset} | static_cast<std::uint32_t>(state) << 15 | std::uint32_t{length} << 17;
    }
};

// A view: the page must outlive it. The page's bytes are not trusted: a function that finds anything but a sound page and
// sound arguments, or that Postgres would answer with an error, says no (false, nullptr, empty) and leaves the page
// unspecified, but never touches a byte outside of it. What is the same in Postgres 15 to 18.
class ItemPage {
public:
    explicit ItemPage(Page page) : page_(page) {}

    Page bytes() const { return page_; }

    // The header's offsets are in order and inside the page, and the line pointers are whole. Everything below needs that.
    bool sound() const;

    std::uint16_t lower() const { return get(offsetof(PageHeader, lower)); }
    std::uint16_t upper() const { return get(offsetof(PageHeader, upper)); }
    std::uint16_t special() const { return get(offsetof(PageHeader, special)); }
    std::uint16_t flags() const { return get(offsetof(PageHeader, flags)); }
    void set_lower(std::size_t value) { set(offsetof(PageHeader, lower), value); }
    void set_upper(std::size_t value) { set(offsetof(PageHeader, upper), value); }
    void set_flag(std::uint16_t flag, bool on);
    std::span<std::byte> special_space() const { return page_.subspan(special()); }

    std::size_t count() const { return (lower() - sizeof(PageHeader)) / kLineBytes; }
    bool has(std::size_t number) const { return number >= 1 && number <= count(); }
    // Of an item that is there.
    LinePointer line(std::size_t number) const { return LinePointer::unpack(load<std::uint32_t>(line_at(number))); }
    void set_line(std::size_t number, LinePointer line) { store(line_at(number), line.pack()); }

    // The bytes of a normal item; empty if there is none of this number, or it does not lie wholly in the page's item space.
    std::span<std::byte> item(std::size_t number) const;

    // The same whatever the line pointer's state, as long as it has storage: index items marked dead have.
    std::span<std::byte> stored(std::size_t number) const;

    enum class Placing : std::uint8_t {
        overwrite,  // the line pointer is free or the next after the last (PageAddItem's `overwrite`)
        shift,      // those from it on move up by one
    };
    // PageAddItem without the copying: room for `length` bytes, which the caller fills in. nullptr if it does not fit.
    std::byte* add(std::size_t length, std::size_t number, Placing placing);
    bool add(std::span<const std::byte> item, std::size_t number, Placing placing);

    // PageIndexTupleDelete, PageIndexMultiDelete (numbers in ascending order), PageIndexTupleOverwrite.
    bool remove(std::size_t number);
    bool remove(std::span<const ItemNumber> numbers);
    bool replace(std::size_t number, std::span<const std::byte> item);

    // The items that have storage, moved together towards the special space in the order of their line pointers.
    bool compact();

    static constexpr std::size_t kLineBytes = 4;

private:
    std::uint16_t get(std::size_t at) const { return load<std::uint16_t>(page_.data() + at); }
    void set(std::size_t at, std::size_t value) { store(page_.data() + at, static_cast<std::uint16_t>(value)); }
    std::byte* line_at(std::size_t number) const { return page_.data() + sizeof(PageHeader) + (number - 1) * kLineBytes; }
    bool is_placed(LinePointer line) const {
        return line.offset >= upper() && std::size_t{line.offset} + line.length <= special() && line.offset % kMaxAlign == 0;
    }

    Page page_;
};

}  // namespace bough::pg
