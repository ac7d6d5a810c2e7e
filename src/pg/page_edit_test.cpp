#include "pg/page_edit.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/free_space_map.hpp"
#include "pg/page_header.hpp"
#include "pg/visibility_map.hpp"

namespace bough::pg {
namespace {

using Bytes = std::array<std::byte, kPageBytes>;

unsigned visibility_of(const Bytes& page, std::uint32_t slot) {
    return static_cast<unsigned>(page[kPageContentsOffset + slot / 4]) >> (slot % 4 * 2) & 3;
}

TEST(PageEdit, visibility_bits_are_set_cleared_and_truncated) {
    Bytes page{};
    std::string edits;
    append_visibility_set(edits, 0, kAllVisible);
    append_visibility_set(edits, 5, kVisibilityBits);
    append_visibility_set(edits, 32671, kAllVisible);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{0x1'00000002}));
    EXPECT_EQ(visibility_of(page, 0), 1u);
    EXPECT_EQ(visibility_of(page, 5), 3u);
    EXPECT_EQ(visibility_of(page, 32671), 1u);
    EXPECT_EQ(page_lsn(page), Lsn{0x1'00000002});
    EXPECT_EQ(load<PageHeader>(page.data()).lower, 24);
    EXPECT_EQ(load<PageHeader>(page.data()).upper, 8192);
    EXPECT_EQ(load<PageHeader>(page.data()).page_size_version, 0x2004);

    edits.clear();
    append_visibility_clear(edits, 5, kAllFrozen);
    append_visibility_clear(edits, 0, kVisibilityBits);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{0x2'00000000}));
    EXPECT_EQ(visibility_of(page, 0), 0u);
    EXPECT_EQ(visibility_of(page, 5), 1u);
    EXPECT_EQ(page_lsn(page), Lsn{0x1'00000002}) << "clearing leaves the page's LSN alone, as Postgres does";

    edits.clear();
    append_visibility_truncate(edits, 6);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{0x3'00000000}));
    EXPECT_EQ(visibility_of(page, 5), 1u);
    EXPECT_EQ(visibility_of(page, 32671), 0u);
    edits.clear();
    append_visibility_truncate(edits, 5);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{0x3'00000000}));
    EXPECT_EQ(visibility_of(page, 5), 0u);
}

TEST(PageEdit, setting_bits_that_are_set_leaves_the_page_alone) {
    Bytes page{};
    std::string edits;
    append_visibility_set(edits, 9, kAllVisible);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{100}));
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{200}));
    EXPECT_EQ(page_lsn(page), Lsn{100});
}

TEST(PageEdit, clearing_on_a_new_page_is_nothing) {
    Bytes page{};
    std::string edits;
    append_visibility_clear(edits, 9, kVisibilityBits);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{100}));
    EXPECT_TRUE(page == Bytes{});
}

TEST(PageEdit, truncated_free_space_is_gone_from_the_tree_too) {
    Bytes page{};
    init_page(page);
    const auto nodes = std::span(page).subspan(kPageBytes - kFreeSpaceNodes);
    nodes[kFreeSpaceInnerNodes + 10] = std::byte{40};
    nodes[kFreeSpaceInnerNodes + 4068] = std::byte{200};
    for (std::size_t node = kFreeSpaceInnerNodes; node-- > 0;)
        for (const std::size_t child : {2 * node + 1, 2 * node + 2})
            if (child < nodes.size()) nodes[node] = std::max(nodes[node], nodes[child]);
    ASSERT_EQ(nodes[0], std::byte{200});

    std::string edits;
    append_free_space_truncate(edits, 11);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{1}));
    EXPECT_EQ(nodes[0], std::byte{40});
    EXPECT_EQ(nodes[kFreeSpaceInnerNodes + 10], std::byte{40});
    edits.clear();
    append_free_space_truncate(edits, 0);
    ASSERT_TRUE(apply_page_edits(page, edits, Lsn{1}));
    EXPECT_TRUE(std::ranges::all_of(nodes, [](std::byte b) { return b == std::byte{0}; }));
}

TEST(PageEdit, maps_are_laid_out_as_postgres_lays_them_out) {
    EXPECT_EQ(free_space_slot(0).block, 2u);
    EXPECT_EQ(free_space_slot(4069).block, 3u);
    EXPECT_EQ(free_space_slot(4069u * 4069).block, 4069u + 3);
    EXPECT_EQ(free_space_map_blocks(0), 2u);
    EXPECT_EQ(free_space_map_blocks(1), 3u);
    EXPECT_EQ(free_space_map_blocks(4069), 3u);
    EXPECT_EQ(visibility_map_blocks(0), 0u);
    EXPECT_EQ(visibility_map_blocks(1), 1u);
    EXPECT_EQ(visibility_map_blocks(32672), 1u);
    EXPECT_EQ(visibility_map_blocks(32673), 2u);
}

TEST(SlruEdit, transaction_status_is_two_bits) {
    Bytes page{};
    std::string edits;
    append_xact_status(edits, XactStatus::aborted, std::vector<std::uint16_t>{0, 1, 32767});
    append_xact_status(edits, XactStatus::committed, std::vector<std::uint16_t>{1, 6});
    ASSERT_TRUE(apply_slru_edits(page, Slru::xact, edits));
    EXPECT_EQ(page[0], std::byte{0b0110});
    EXPECT_EQ(page[1], std::byte{0b010000});
    EXPECT_EQ(page[8191], std::byte{0b10000000});
}

TEST(SlruEdit, multixacts_have_offsets_and_members) {
    Bytes offsets{}, members{};
    std::string edits;
    append_multixact_offset(edits, 2047, 0xAABBCCDD);
    ASSERT_TRUE(apply_slru_edits(offsets, Slru::multixact_offsets, edits));
    EXPECT_EQ(load<std::uint32_t>(offsets.data() + 8188), 0xAABBCCDDu);

    edits.clear();
    append_multixact_members(edits, 3, std::vector<MultiXactMember>{{1000, 1}, {2000, 5}});
    ASSERT_TRUE(apply_slru_edits(members, Slru::multixact_members, edits));
    EXPECT_EQ(members[3], std::byte{1});
    EXPECT_EQ(load<std::uint32_t>(members.data() + 16), 1000u);
    EXPECT_EQ(members[20], std::byte{5});
    EXPECT_EQ(load<std::uint32_t>(members.data() + 24), 2000u);
}

TEST(SlruEdit, commit_timestamps_are_unaligned) {
    Bytes page{};
    std::string edits;
    append_commit_ts(edits, 0x1122334455667788, 9, std::vector<std::uint16_t>{1, 818});
    ASSERT_TRUE(apply_slru_edits(page, Slru::commit_ts, edits));
    EXPECT_EQ(load<std::int64_t>(page.data() + 10), 0x1122334455667788);
    EXPECT_EQ(load<std::uint16_t>(page.data() + 18), 9);
    EXPECT_EQ(load<std::int64_t>(page.data() + 8180), 0x1122334455667788);
}

TEST(PageEdit, bytes_that_are_no_edits_are_refused) {
    Bytes page{};
    std::string edit;
    append_visibility_set(edit, 3, kAllVisible);
    for (std::size_t length = 1; length < edit.size(); ++length)
        EXPECT_EQ(apply_page_edits(page, edit.substr(0, length), Lsn{1}).error().code, ErrorCode::corrupt);
    EXPECT_FALSE(apply_page_edits(page, "\x63", Lsn{1})) << "of an unknown kind";
    EXPECT_FALSE(apply_page_edits(page, std::string("\x01\xFF\xFF\x01", 4), Lsn{1})) << "beyond the page";
    EXPECT_FALSE(apply_page_edits(page, std::string("\x01\x00\x00\x04", 4), Lsn{1})) << "of other bits";
    EXPECT_FALSE(apply_page_edits(page, std::string("\x04\xE5\x0F", 3), Lsn{1})) << "slot 4069";

    std::string status;
    append_xact_status(status, XactStatus::committed, std::vector<std::uint16_t>{1, 2});
    for (std::size_t length = 1; length < status.size(); ++length)
        EXPECT_FALSE(apply_slru_edits(page, Slru::xact, status.substr(0, length)));
    EXPECT_FALSE(apply_slru_edits(page, Slru::commit_ts, status)) << "of another SLRU";
    status[1] = 4;
    EXPECT_FALSE(apply_slru_edits(page, Slru::xact, status)) << "no such status";
    EXPECT_FALSE(apply_slru_edits(page, Slru::multixact_offsets, std::string("\x11\x00\x08\x01\x00\x00\x00", 7))) << "entry 2048";
    EXPECT_FALSE(apply_slru_edits(page, Slru::multixact_members, std::string("\x12\x64\x06\x01\x00\x00\x00\x00\x00\x00", 10)))
        << "member 1636";
}

}  // namespace
}  // namespace bough::pg
