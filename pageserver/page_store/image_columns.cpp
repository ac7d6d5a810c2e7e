#include "pageserver/page_store/image_columns.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/item_page.hpp"
#include "pg/page_header.hpp"

namespace bough::pageserver {
namespace {

using pg::LinePointer;
using pg::LineState;
using pg::load;
using pg::store;

// As Postgres's HeapTupleHeaderData has them: t_xmin, t_xmax, t_cid; t_ctid's two halves of a block and its offset; t_infomask2, t_infomask;
// t_hoff, and the first byte of null bitmap or padding.
constexpr std::size_t kRowHeaderBytes = 24;
constexpr std::size_t kUnit = pg::kMaxAlign;  // rows begin at multiples of it
constexpr std::size_t kUnits = pg::kPageBytes / kUnit;
constexpr std::size_t kLineBytes = pg::ItemPage::kLineBytes;
constexpr std::size_t kRowsMax = (pg::kPageBytes - sizeof(pg::PageHeader)) / (kRowHeaderBytes + kLineBytes);

struct Row {
    std::uint16_t offset;
    std::uint16_t length;
    std::uint16_t number;  // of its line pointer, from 1
};

// Where what lies on a page.
class Layout {
public:
    // Nothing: not a heap page's header.
    static std::optional<Layout> of_header(const std::byte* header) {
        Layout layout;
        layout.lower_ = load<std::uint16_t>(header + offsetof(pg::PageHeader, lower));
        layout.upper_ = load<std::uint16_t>(header + offsetof(pg::PageHeader, upper));
        const auto special = load<std::uint16_t>(header + offsetof(pg::PageHeader, special));
        if (layout.lower_ < sizeof(pg::PageHeader) || layout.lower_ > layout.upper_ || layout.upper_ > pg::kPageBytes ||
            special != pg::kPageBytes || layout.lower_ % kLineBytes != 0 || layout.upper_ % kUnit != 0)
            return std::nullopt;
        return layout;
    }

    std::size_t lower() const { return lower_; }
    std::size_t upper() const { return upper_; }
    std::size_t lines() const { return (lower_ - sizeof(pg::PageHeader)) / kLineBytes; }
    std::size_t bytes() const { return pg::kPageBytes - (upper_ - lower_); }
    std::span<const Row> rows() const { return std::span(rows_).first(count_); }

    // Where the row of the next line pointer is, if nothing lies between it and the one before.
    std::uint16_t expected(const LinePointer& line) const {
        return line.state == LineState::normal ? static_cast<std::uint16_t>((last_ - pg::max_align<std::size_t>(line.length)) & 0x7FFF) : std::uint16_t{0};
    }
    // The next line pointer. False: its row is none, or lies where another one is.
    bool add(const LinePointer& line, std::size_t number) {
        if (line.state != LineState::normal) return true;
        const std::size_t end = line.offset + pg::max_align<std::size_t>(line.length);
        if (line.length < kRowHeaderBytes || line.offset < upper_ || line.offset % kUnit != 0 || end > pg::kPageBytes || count_ == kRowsMax)
            return false;
        for (std::size_t unit = line.offset / kUnit; unit < end / kUnit;) {
            const std::size_t stop = std::min(end / kUnit, (unit / 64 + 1) * 64);
            const std::uint64_t bits = (~0ull >> (64 - (stop - unit))) << unit % 64;
            std::uint64_t& units = taken_[unit / 64];
            if ((units & bits) != 0) return false;
            units |= bits;
            unit = stop;
        }
        last_ = line.offset;
        rows_[count_++] = {line.offset, line.length, static_cast<std::uint16_t>(number)};
        return true;
    }
    // `each(offset)` of every unit from `upper` on that no row lies in.
    template <class Each>
    void free_units(const Each& each) const {
        for (std::size_t unit = upper_ / kUnit; unit < kUnits;) {
            const std::uint64_t free = ~taken_[unit / 64] >> unit % 64;
            if (free == 0) {
                unit = (unit / 64 + 1) * 64;
                continue;
            }
            unit += static_cast<std::size_t>(std::countr_zero(free));
            each(unit * kUnit);
            ++unit;
        }
    }

private:
    std::uint16_t lower_ = 0;
    std::uint16_t upper_ = 0;
    std::uint16_t last_ = pg::kPageBytes;  // where the last row begins
    std::size_t count_ = 0;
    std::array<Row, kRowsMax> rows_;
    std::array<std::uint64_t, kUnits / 64> taken_{};
};

// Between a page and its columns, in either direction: one place says what lies where.
enum class Way { to_columns, to_page };

template <Way kWay>
class Transfer {
public:
    using Page = std::conditional_t<kWay == Way::to_columns, const std::byte*, std::byte*>;
    using Columns = std::conditional_t<kWay == Way::to_columns, std::byte*, const std::byte*>;

    Transfer(Page page, Columns columns) : page_(page), columns_(columns) {}

    void bytes(std::size_t at, std::size_t count) {
        if constexpr (kWay == Way::to_columns)
            std::memcpy(columns_, page_ + at, count);
        else
            std::memcpy(page_ + at, columns_, count);
        columns_ += count;
    }

    // Two columns of 16 bits: offset's difference from where it is expected and state's low bit; length and state's high bit.
    bool lines(Layout& layout) {
        Columns offsets = columns_;
        Columns lengths = columns_ + layout.lines() * sizeof(std::uint16_t);
        for (std::size_t i = 0; i < layout.lines(); ++i) {
            const std::size_t at = sizeof(pg::PageHeader) + i * kLineBytes;
            const std::size_t place = i * sizeof(std::uint16_t);
            LinePointer line;
            if constexpr (kWay == Way::to_columns) {
                line = LinePointer::unpack(load<std::uint32_t>(page_ + at));
                const auto state = static_cast<unsigned>(line.state);
                store(offsets + place, static_cast<std::uint16_t>(((line.offset - layout.expected(line)) & 0x7FFF) | (state & 1) << 15));
                store(lengths + place, static_cast<std::uint16_t>(line.length | (state >> 1) << 15));
            } else {
                const auto offset = load<std::uint16_t>(offsets + place), length = load<std::uint16_t>(lengths + place);
                line.length = length & 0x7FFF;
                line.state = static_cast<LineState>(offset >> 15 | length >> 15 << 1);
                line.offset = static_cast<std::uint16_t>((offset + layout.expected(line)) & 0x7FFF);
                if (page_ != nullptr) store(page_ + at, line.pack());
            }
            if (!layout.add(line, i + 1)) return false;
        }
        columns_ += layout.lines() * kLineBytes;
        return true;
    }

    // What is subtracted from a field.
    enum class From { nothing, row_before, own_number };
    template <class Field, From kFrom>
    void field(const Layout& layout, std::size_t at) {
        Field before = 0;
        for (const Row& row : layout.rows()) {
            const auto from = kFrom == From::row_before ? before : kFrom == From::own_number ? static_cast<Field>(row.number) : Field{0};
            if constexpr (kWay == Way::to_columns) {
                before = load<Field>(page_ + row.offset + at);
                store(columns_, static_cast<Field>(before - from));
            } else {
                before = static_cast<Field>(load<Field>(columns_) + from);
                store(page_ + row.offset + at, before);
            }
            columns_ += sizeof(Field);
        }
    }

    // All that is not header and line pointers.
    void rows(const Layout& layout) {
        field<std::uint32_t, From::row_before>(layout, 0);
        field<std::uint32_t, From::row_before>(layout, 4);
        field<std::uint32_t, From::nothing>(layout, 8);
        field<std::uint16_t, From::row_before>(layout, 12);
        field<std::uint16_t, From::row_before>(layout, 14);
        field<std::uint16_t, From::own_number>(layout, 16);
        field<std::uint16_t, From::nothing>(layout, 18);
        field<std::uint16_t, From::nothing>(layout, 20);
        field<std::uint8_t, From::nothing>(layout, 22);
        field<std::uint8_t, From::nothing>(layout, 23);
        for (const Row& row : layout.rows()) bytes(row.offset + kRowHeaderBytes, row.length - kRowHeaderBytes);
        for (const Row& row : layout.rows()) bytes(std::size_t{row.offset} + row.length, pg::max_align<std::size_t>(row.length) - row.length);
        layout.free_units([&](std::size_t at) { bytes(at, kUnit); });
    }

private:
    Page page_;
    Columns columns_;
};

const std::byte* bytes_of(std::string_view columns) { return reinterpret_cast<const std::byte*>(columns.data()); }

}  // namespace

bool append_image_columns(std::string& out, pg::ConstPage page) {
    auto layout = Layout::of_header(page.data());
    if (!layout) return false;
    const auto hole = page.subspan(layout->lower(), layout->upper() - layout->lower());
    if (std::ranges::any_of(hole, [](std::byte b) { return b != std::byte{0}; })) return false;
    const std::size_t begin = out.size();
    out.resize(begin + layout->bytes());
    Transfer<Way::to_columns> transfer(page.data(), reinterpret_cast<std::byte*>(out.data() + begin));
    transfer.bytes(0, sizeof(pg::PageHeader));
    if (!transfer.lines(*layout)) {
        out.resize(begin);
        return false;
    }
    transfer.rows(*layout);
    return true;
}

bool are_image_columns(std::string_view columns) {
    if (columns.size() < sizeof(pg::PageHeader)) return false;
    auto layout = Layout::of_header(bytes_of(columns));
    return layout && columns.size() == layout->bytes() &&
           Transfer<Way::to_page>(nullptr, bytes_of(columns) + sizeof(pg::PageHeader)).lines(*layout);
}

void write_image_columns(std::string_view columns, pg::Page out) {
    auto layout = Layout::of_header(bytes_of(columns));
    BOUGH_CHECK(layout && columns.size() == layout->bytes());
    Transfer<Way::to_page> transfer(out.data(), bytes_of(columns));
    transfer.bytes(0, sizeof(pg::PageHeader));
    BOUGH_CHECK(transfer.lines(*layout));
    transfer.rows(*layout);
    std::memset(out.data() + layout->lower(), 0, layout->upper() - layout->lower());
}

}  // namespace bough::pageserver
