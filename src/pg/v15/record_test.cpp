#include "pg/v15/record.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/page_header.hpp"
#include "pg/testing/model_sink.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg::v15 {
namespace {

constexpr Lsn kStart{0x1'00000028};
constexpr Lsn kEnd{0x1'00000100};

// Puts a record's parts together by hand, so that they may be wrong.
struct Parts {
    std::string headers;
    std::string payload;

    Parts& block(std::uint8_t id, std::uint8_t fork_flags, std::string_view data, std::string_view image = {},
                 std::uint16_t hole_offset = 0, std::uint8_t image_info = 0) {
        append(headers, id);
        append(headers, fork_flags);
        append(headers, static_cast<std::uint16_t>(data.size()));
        if ((fork_flags & 0x10) != 0) {
            append(headers, static_cast<std::uint16_t>(image.size()));
            append(headers, hole_offset);
            append(headers, image_info);
        }
        if ((fork_flags & 0x80) == 0)
            for (const std::uint32_t word : {1663u, 5u, 16384u}) append(headers, word);
        append(headers, std::uint32_t{id + 70u});
        payload.append(image).append(data);
        return *this;
    }
    Parts& main_data(std::string_view data) {
        append(headers, std::uint8_t{255});
        append(headers, static_cast<std::uint8_t>(data.size()));
        payload.append(data);
        return *this;
    }
    std::string record(std::uint8_t manager = 10) const {
        WalRecordHeader header{};
        header.total_bytes = static_cast<std::uint32_t>(sizeof header + headers.size() + payload.size());
        header.xid = 777;
        header.info = 0x20;
        header.resource_manager = manager;
        std::string bytes;
        append(bytes, header);
        return bytes + headers + payload;
    }
};

// A page image with a hole from 100 to 8000.
std::string image() {
    std::string bytes(kPageBytes - 7900, 'i');
    store(reinterpret_cast<std::byte*>(bytes.data()) + offsetof(PageHeader, upper), std::uint16_t{8000});
    return bytes;
}

Parts two_blocks() {
    Parts parts;
    parts.block(0, 0x10 | 0x20, "first", image(), 100, 0x01 | 0x02);
    parts.block(2, 0x80 | 0x20 | 0x40 | 0x02, "second");
    append(parts.headers, std::uint8_t{253});
    append(parts.headers, std::uint16_t{9});
    append(parts.headers, std::uint8_t{252});
    append(parts.headers, std::uint32_t{555});
    return parts.main_data("main");
}

std::string message(const std::string& bytes) {
    Record record;
    const auto decoded = record.decode({kStart, kEnd, as_bytes(bytes)});
    if (decoded) return "";
    EXPECT_EQ(decoded.error().code, ErrorCode::corrupt);
    const auto colon = decoded.error().message.find("): ");
    EXPECT_THAT(decoded.error().message, ::testing::StartsWith("WAL record at 1/28 "));
    return decoded.error().message.substr(colon + 3);
}

TEST(Record, is_taken_apart) {
    const std::string bytes = two_blocks().record();
    Record record;
    ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
    EXPECT_EQ(record.resource_manager(), 10);
    EXPECT_EQ(record.operation(), 0x20);
    EXPECT_EQ(record.xid(), 777u);
    EXPECT_EQ(record.origin(), 9);
    EXPECT_EQ(record.toplevel_xid(), 555u);
    EXPECT_EQ(as_text(record.main_data()), "main");
    ASSERT_EQ(record.blocks().size(), 2u);
    const BlockReference& first = *record.block(0);
    EXPECT_EQ(first.tag, (PageTag{{{1663, 5, 16384}, Fork::main}, 70}));
    EXPECT_TRUE(first.has_image && first.apply_image && !first.will_init);
    EXPECT_EQ(as_text(first.data), "first");
    const BlockReference& second = *record.block(2);
    EXPECT_EQ(second.tag, (PageTag{{{1663, 5, 16384}, Fork::visibility}, 72}));
    EXPECT_TRUE(!second.has_image && second.will_init);
    EXPECT_EQ(as_text(second.data), "second");
    EXPECT_EQ(record.block(1), nullptr);
}

TEST(Record, image_is_restored_with_its_hole_and_the_records_end) {
    const std::string bytes = two_blocks().record();
    Record record;
    ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
    std::array<std::byte, kPageBytes> page;
    ASSERT_TRUE(restore_image(record, *record.block(0), page));
    EXPECT_EQ(page_lsn(page), kEnd);
    EXPECT_EQ(page[99], std::byte{'i'});
    EXPECT_TRUE(std::all_of(page.begin() + 100, page.begin() + 8000, [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_EQ(page[8000], std::byte{'i'});
    EXPECT_FALSE(restore_image(record, *record.block(2), page));
}

// What a sink is told of an image makes the page that restoring it does.
TEST(Record, image_without_its_hole_is_the_page_that_it_is_restored_to) {
    std::string uninitialised = image(), bare(kPageBytes, 'i'), early_hole(kPageBytes - 10, 'i');
    store(reinterpret_cast<std::byte*>(uninitialised.data()) + offsetof(PageHeader, upper), std::uint16_t{0});
    const std::vector<std::pair<Parts, bool>> cases = {
        {two_blocks(), true},
        {Parts().block(0, 0x10, "", uninitialised, 100, 0x01 | 0x02), false},
        {Parts().block(0, 0x10, "", bare, 0, 0x02), false},
        {Parts().block(0, 0x10, "", early_hole, 16, 0x01 | 0x02), false},
        {Parts().block(0, 0x10, {}, "no such thing", 0, 0x04 | 0x02), false},
    };
    for (const auto& [parts, plain] : cases) {
        const std::string bytes = parts.record();
        Record record;
        ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
        const BlockReference& block = *record.block(0);
        EXPECT_EQ(is_plain_image(block), plain);
        if (!plain) continue;
        std::array<std::byte, kPageBytes> page;
        ASSERT_TRUE(restore_image(record, block, page));
        testing::ModelSink sink{testing::ModelState{}};
        sink.page_image_without_hole(block.tag, block.image, block.hole_offset, record.end());
        EXPECT_EQ(sink.images.at(block.tag), page);
    }
    Record record;
    const std::string bytes = two_blocks().record();
    ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
    EXPECT_FALSE(is_plain_image(*record.block(2))) << "it has none";
}

TEST(Record, image_that_does_not_decompress_is_corrupt) {
    for (const std::uint8_t method : {0x04, 0x08, 0x10}) {
        const std::string bytes = Parts().block(0, 0x10, {}, "no such thing", 0, method | 0x02).record();
        Record record;
        ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
        std::array<std::byte, kPageBytes> page;
        EXPECT_EQ(restore_image(record, *record.block(0), page).error().code, ErrorCode::corrupt);
    }
}

TEST(Record, for_a_page_lacks_other_pages_images) {
    const std::string bytes = two_blocks().record();
    Record record;
    ASSERT_TRUE(record.decode({kStart, kEnd, as_bytes(bytes)}));
    std::string buffer;
    EXPECT_EQ(as_text(record_for_page(record, *record.block(0), true, buffer)), bytes);

    const auto stripped = record_for_page(record, *record.block(2), false, buffer);
    EXPECT_EQ(stripped.size(), bytes.size() - image().size() - 5);
    Record again;
    ASSERT_TRUE(again.decode({kStart, kEnd, stripped}));
    EXPECT_FALSE(again.block(0)->has_image);
    EXPECT_EQ(as_text(again.block(0)->data), "first");
    EXPECT_EQ(again.block(0)->tag, record.block(0)->tag);
    EXPECT_EQ(as_text(again.block(2)->data), "second");
    EXPECT_EQ(again.block(2)->tag, record.block(2)->tag);
    EXPECT_EQ(again.block(2)->will_init, true);
    EXPECT_EQ(again.origin(), 9);
    EXPECT_EQ(again.toplevel_xid(), 555u);
    EXPECT_EQ(as_text(again.main_data()), "main");
}

TEST(Record, says_what_is_corrupt) {
    EXPECT_EQ(message("short"), "too short");
    EXPECT_EQ(message(two_blocks().record() + "x"), "its length does not agree with its header");
    EXPECT_EQ(message(Parts().block(0, 0, {}).block(0, 0x80, {}).record()), "block reference 0 out of order");
    EXPECT_EQ(message(Parts().block(0, 0x80, {}).record()), "block reference 0 is of the same relation as none");
    EXPECT_EQ(message(Parts().block(0, 0x04, {}).record()), "block reference 0 of fork 4");
    EXPECT_EQ(message(Parts().block(0, 0, "data").record()), "block reference 0 misstates its data");
    EXPECT_EQ(message(Parts().block(0, 0x20, {}).record()), "block reference 0 misstates its data");
    EXPECT_EQ(message(Parts().block(33, 0, {}).record()), "invalid part 33");
    EXPECT_EQ(message(Parts().block(0, 0x10, {}, image(), 0, 0x01).record()),
              "block reference 0: a page image with an empty hole");
    EXPECT_EQ(message(Parts().block(0, 0x10, {}, image(), 100, 0).record()),
              "block reference 0: a page image with an unannounced hole");
    EXPECT_EQ(message(Parts().block(0, 0x10, {}, image(), 300, 0x01).record()),
              "block reference 0: a page image with a hole beyond the page");
    EXPECT_EQ(message(Parts().block(0, 0x10, {}, std::string(8193, 'i'), 0, 0).record()),
              "block reference 0: a page image longer than a page");
    EXPECT_EQ(message(Parts().block(0, 0x10, {}, std::string(8192, 'i'), 0, 0x04).record()),
              "block reference 0: a compressed page image as long as a page");
    Parts short_data = two_blocks();
    short_data.payload.pop_back();
    EXPECT_EQ(message(short_data.record()), "its parts do not add up to its length");
}

TEST(Record, cut_anywhere_is_corrupt_or_lacks_its_main_data) {
    const std::string bytes = two_blocks().record();
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        std::string cut = bytes.substr(0, length);
        if (length >= 4) store(reinterpret_cast<std::byte*>(cut.data()), static_cast<std::uint32_t>(length));
        // Headers end where the rest is as long as the payload announced so far, wherever that is.
        Record record;
        EXPECT_TRUE(!record.decode({kStart, kEnd, as_bytes(cut)}) || record.main_data().empty()) << length;
    }
}

}  // namespace
}  // namespace bough::pg::v15
