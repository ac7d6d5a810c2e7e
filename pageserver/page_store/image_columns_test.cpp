#include "pageserver/page_store/image_columns.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/page_header.hpp"

namespace bough::pageserver {
namespace {

using Bytes = std::vector<std::byte>;

pg::ConstPage page_of(const Bytes& bytes) { return pg::ConstPage(bytes.data(), pg::kPageBytes); }

// A page with rows and with line pointers of every state, as a heap's look after updates, deletions and pruning; what lies between rows is
// anything.
class HeapPage {
public:
    explicit HeapPage(unsigned seed) : random_(seed), page_(pg::kPageBytes) {
        std::uint16_t upper = pg::kPageBytes;
        std::vector<std::uint32_t> lines;
        const unsigned count = below(280);
        for (unsigned i = 0; i < count; ++i) {
            const unsigned kind = below(12);
            if (kind == 0) lines.push_back(0);                                                 // unused
            if (kind == 1) lines.push_back((1 + below(count)) | 2u << 15);                     // redirect
            if (kind == 2) lines.push_back(3u << 15);                                          // dead
            if (kind == 3 && upper > 4000) upper = static_cast<std::uint16_t>(upper - 8 * below(4));  // nobody's
            if (kind > 2) {
                const unsigned length = 24 + below(random_() % 8 == 0 ? 900 : 60);
                const unsigned stored = pg::max_align(length);
                if (upper < sizeof(pg::PageHeader) + 4 * (count + 1) + stored) break;
                upper = static_cast<std::uint16_t>(upper - stored);
                fill(upper, stored);
                lines.push_back(upper | 1u << 15 | length << 17);
            }
        }
        if (below(2) == 0) std::ranges::shuffle(lines, random_);
        fill(0, sizeof(pg::PageHeader));
        put(offsetof(pg::PageHeader, lower), static_cast<std::uint16_t>(sizeof(pg::PageHeader) + 4 * lines.size()));
        put(offsetof(pg::PageHeader, upper), upper);
        put(offsetof(pg::PageHeader, special), static_cast<std::uint16_t>(pg::kPageBytes));
        for (std::size_t i = 0; i < lines.size(); ++i) put(sizeof(pg::PageHeader) + 4 * i, lines[i]);
        hole_ = upper - sizeof(pg::PageHeader) - 4 * lines.size();
    }

    const Bytes& bytes() const { return page_; }
    std::size_t hole() const { return hole_; }

private:
    unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
    template <class T>
    void put(std::size_t at, T value) {
        pg::store(page_.data() + at, value);
    }
    void fill(std::size_t at, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) page_[at + i] = static_cast<std::byte>(random_());
    }

    std::mt19937 random_;
    Bytes page_;
    std::size_t hole_ = 0;
};

Bytes written(const std::string& columns) {
    Bytes page(pg::kPageBytes, std::byte{0xAA});
    write_image_columns(columns, pg::Page(page.data(), pg::kPageBytes));
    return page;
}

TEST(ImageColumns, heap_pages_come_back_byte_for_byte) {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        const HeapPage page(seed);
        std::string columns = "before";
        ASSERT_TRUE(append_image_columns(columns, page_of(page.bytes()))) << seed;
        columns.erase(0, 6);
        EXPECT_EQ(columns.size(), pg::kPageBytes - page.hole());
        ASSERT_TRUE(are_image_columns(columns)) << seed;
        ASSERT_EQ(written(columns), page.bytes()) << seed;
    }
}

TEST(ImageColumns, any_page_comes_back_or_is_not_taken) {
    std::mt19937 random(7);
    unsigned taken = 0, refused = 0;
    for (unsigned seed = 0; seed < 20'000; ++seed) {
        Bytes page = HeapPage(seed % 50).bytes();
        // Mostly where its layout is.
        for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
            page[random() % (random() % 2 == 0 ? 400 : pg::kPageBytes)] = static_cast<std::byte>(random());
        std::string columns;
        if (!append_image_columns(columns, page_of(page))) {
            EXPECT_TRUE(columns.empty());
            ++refused;
            continue;
        }
        ++taken;
        ASSERT_TRUE(are_image_columns(columns));
        ASSERT_EQ(written(columns), page) << seed;
    }
    EXPECT_GT(taken, 1000u);
    EXPECT_GT(refused, 1000u);
}

// A page whose line pointers are these, over rows and gaps of anything.
Bytes page_of_lines(std::size_t upper, const std::vector<std::uint32_t>& lines) {
    Bytes page(pg::kPageBytes);
    for (std::size_t i = upper; i < page.size(); ++i) page[i] = static_cast<std::byte>(i * 31 + i / 256);
    pg::store(page.data() + offsetof(pg::PageHeader, lower), static_cast<std::uint16_t>(sizeof(pg::PageHeader) + 4 * lines.size()));
    pg::store(page.data() + offsetof(pg::PageHeader, upper), static_cast<std::uint16_t>(upper));
    pg::store(page.data() + offsetof(pg::PageHeader, special), static_cast<std::uint16_t>(pg::kPageBytes));
    for (std::size_t i = 0; i < lines.size(); ++i) pg::store(page.data() + sizeof(pg::PageHeader) + 4 * i, lines[i]);
    return page;
}

std::uint32_t normal_line(std::size_t offset, std::size_t length) { return static_cast<std::uint32_t>(offset | 1u << 15 | length << 17); }

TEST(ImageColumns, the_fullest_and_the_emptiest_pages_come_back) {
    std::vector<std::uint32_t> most_rows;
    for (std::size_t i = 1; i <= 291; ++i) most_rows.push_back(normal_line(pg::kPageBytes - 24 * i, 24));
    std::vector<std::uint32_t> rising(most_rows.rbegin(), most_rows.rend());
    const std::vector<std::uint32_t> most_lines(2042, 0x7FFFFu << 13 | 3u << 15);  // dead, with storage and an offset
    for (const Bytes& page :
         {page_of_lines(pg::kPageBytes - 24 * 291, most_rows), page_of_lines(pg::kPageBytes - 24 * 291, rising),
          page_of_lines(pg::kPageBytes, most_lines), page_of_lines(pg::kPageBytes, {}), page_of_lines(24, {}),
          page_of_lines(32, {normal_line(32, 8160)}), page_of_lines(32, {normal_line(32, 8155)}), page_of_lines(4096, {})}) {
        std::string columns;
        ASSERT_TRUE(append_image_columns(columns, page_of(page)));
        ASSERT_TRUE(are_image_columns(columns));
        ASSERT_EQ(written(columns), page);
    }
}

TEST(ImageColumns, rows_that_make_no_sense_are_not_taken) {
    std::vector<std::uint32_t> one_too_many;
    for (std::size_t i = 1; i <= 292; ++i) one_too_many.push_back(normal_line(pg::kPageBytes - 24 * i, 24));
    for (const std::vector<std::uint32_t>& lines : std::vector<std::vector<std::uint32_t>>{
             {normal_line(4096, 40), normal_line(4096, 40)},   // twice
             {normal_line(4096, 40), normal_line(4128, 24)},   // overlap by eight bytes
             {normal_line(4100, 40)},                          // not at a multiple of eight
             {normal_line(4088, 40)},                          // before pd_upper
             {normal_line(8160, 33)},                          // beyond the page
             {normal_line(4096, 23)},                          // no header
             {normal_line(32760, 32767)}}) {
        std::string columns;
        EXPECT_FALSE(append_image_columns(columns, page_of(page_of_lines(4096, lines))));
    }
    std::string columns;
    EXPECT_FALSE(append_image_columns(columns, page_of(page_of_lines(1192, one_too_many))));
}

TEST(ImageColumns, pages_of_no_heap_are_not_taken) {
    std::string columns;
    Bytes page(pg::kPageBytes);
    EXPECT_FALSE(append_image_columns(columns, page_of(page))) << "zeros";
    page = HeapPage(1).bytes();
    pg::store(page.data() + offsetof(pg::PageHeader, special), static_cast<std::uint16_t>(pg::kPageBytes - 16));
    EXPECT_FALSE(append_image_columns(columns, page_of(page))) << "special space, as an index has";
    page = HeapPage(1).bytes();
    const auto lower = pg::load<std::uint16_t>(page.data() + offsetof(pg::PageHeader, lower));
    page[lower] = std::byte{1};
    EXPECT_FALSE(append_image_columns(columns, page_of(page))) << "something in the hole";
    EXPECT_TRUE(columns.empty());
}

TEST(ImageColumns, any_columns_are_those_of_one_page_or_refused) {
    std::mt19937 random(9);
    unsigned accepted = 0, refused = 0;
    for (unsigned round = 0; round < 20'000; ++round) {
        std::string columns;
        ASSERT_TRUE(append_image_columns(columns, page_of(HeapPage(round % 50).bytes())));
        for (unsigned changes = 1 + random() % 3; changes > 0; --changes)
            columns[random() % (random() % 2 == 0 ? std::min<std::size_t>(columns.size(), 400) : columns.size())] =
                static_cast<char>(random());
        if (random() % 16 == 0) columns.resize(random() % (columns.size() + 9));
        if (!are_image_columns(columns)) {
            ++refused;
            continue;
        }
        ++accepted;
        std::string again;
        ASSERT_TRUE(append_image_columns(again, page_of(written(columns))));
        ASSERT_EQ(again, columns);
    }
    EXPECT_GT(accepted, 1000u);
    EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace bough::pageserver
