#include "pageserver/page_store/page_version.hpp"

#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "pageserver/page_store/rows.hpp"
#include "pg/page_header.hpp"
#include "pg/wal_format.hpp"

namespace bough::pageserver {
namespace {

using Bytes = std::vector<std::byte>;

pg::ConstPage page_of(const Bytes& bytes) { return pg::ConstPage(bytes.data(), pg::kPageBytes); }

Bytes decoded_image(const std::string& value) {
    std::vector<PageStep> steps;
    EXPECT_TRUE(decode_page_version(value, Lsn{100}, steps).has_value());
    EXPECT_EQ(steps.size(), 1u);
    Bytes page(pg::kPageBytes, std::byte{0xAA});
    steps.at(0).write_page(pg::Page(page.data(), pg::kPageBytes));
    return page;
}

Bytes page_with_header(std::uint16_t lower, std::uint16_t upper, std::byte fill, bool zero_hole) {
    Bytes page(pg::kPageBytes, fill);
    std::memcpy(page.data() + 12, &lower, 2);
    std::memcpy(page.data() + 14, &upper, 2);
    if (zero_hole) std::fill(page.begin() + lower, page.begin() + upper, std::byte{0});
    return page;
}

Bytes heap_page() {
    Bytes page = page_with_header(24, 8192 - 64, std::byte{7}, true);
    const std::uint16_t special = 8192;
    std::memcpy(page.data() + 16, &special, 2);
    return page;
}

TEST(PageVersion, image_comes_back_byte_for_byte_whatever_its_header_says) {
    for (const std::uint16_t lower : {0, 10, 24, 100, 8000, 8192, 65535})
        for (const std::uint16_t upper : {0, 24, 100, 4000, 8192, 8193, 65535})
            for (const bool zero_hole : {false, true}) {
                if (zero_hole && (lower < 24 || upper > 8192 || lower >= upper)) continue;
                const Bytes page = page_with_header(lower, upper, std::byte{7}, zero_hole);
                EXPECT_EQ(decoded_image(encode_image(page_of(page))), page) << lower << " " << upper << " " << zero_hole;
            }
}

TEST(PageVersion, hole_is_left_out) {
    const Bytes page = page_with_header(100, 8000, std::byte{7}, true);
    EXPECT_LT(encode_image(page_of(page)).size(), 400u);
}

TEST(PageVersion, an_image_given_without_its_hole_is_the_page_with_it) {
    constexpr Lsn kLsn{0x12'3456789A};
    const Bytes page = page_with_header(100, 8000, std::byte{7}, true);
    Bytes expected = page;
    pg::set_page_lsn(pg::Page(expected.data(), pg::kPageBytes), kLsn);
    for (const auto& [begin, end] : {std::pair{100, 8000}, {24, 25}, {100, 8192}, {200, 300}}) {
        Bytes bytes(page.begin(), page.begin() + begin);
        bytes.insert(bytes.end(), page.begin() + end, page.end());
        Bytes with_hole = expected;
        std::fill(with_hole.begin() + begin, with_hole.begin() + end, std::byte{0});
        std::string value;
        append_image_without_hole(value, bytes, static_cast<std::uint16_t>(begin), kLsn);
        EXPECT_EQ(decoded_image(value), with_hole) << begin;
        EXPECT_TRUE(is_image_version(value));
    }
}

TEST(PageVersion, zero_page_is_one_byte) {
    const Bytes page(pg::kPageBytes);
    EXPECT_EQ(encode_image(page_of(page)).size(), 1u);
    EXPECT_EQ(decoded_image(encode_image(page_of(page))), page);
}

TEST(PageVersion, kept_images_come_back_byte_for_byte_whatever_the_page_is) {
    const Bytes heap = heap_page();
    for (const Bytes& page : {heap, Bytes(pg::kPageBytes), page_with_header(100, 8000, std::byte{7}, true)}) {
        const std::string value = encode_kept_image(page_of(page));
        EXPECT_EQ(decoded_image(value), page);
        EXPECT_TRUE(is_base_version(value));
    }
    const std::string columns = encode_kept_image(page_of(heap));
    EXPECT_NE(columns, encode_image(page_of(heap)));
    EXPECT_TRUE(is_image_version(columns));
    EXPECT_LT(columns.size(), 100u);
}

TEST(PageVersion, steps_of_one_record_come_newest_first) {
    const std::string record = "some bytes";
    const std::string first = encode_record(pg::PageBase::previous, Lsn{40}, Lsn{50}, std::as_bytes(std::span(record)));
    std::string value = combine_steps(first, encode_edits(pg::PageBase::previous, "e1"));
    value = combine_steps(value, encode_edits(pg::PageBase::previous, "e2"));
    std::vector<PageStep> steps;
    ASSERT_TRUE(decode_page_version(value, Lsn{50}, steps).has_value());
    ASSERT_EQ(steps.size(), 3u);
    EXPECT_EQ(steps[0].bytes, "e2");
    EXPECT_EQ(steps[1].bytes, "e1");
    EXPECT_EQ(steps[2].bytes, record);
    EXPECT_EQ(steps[2].record_start, Lsn{40});
    EXPECT_EQ(steps[2].lsn, Lsn{50});
    EXPECT_FALSE(steps[2].is_base());
}

// A record with that header, of that many bytes.
std::string wal_record(pg::WalRecordHeader header, std::size_t bytes) {
    std::string record(bytes, 'r');
    std::memcpy(record.data(), &header, sizeof(header));
    return record;
}

PageStep only_step(const std::string& value, Lsn lsn) {
    std::vector<PageStep> steps;
    EXPECT_TRUE(decode_page_version(value, lsn, steps).has_value());
    EXPECT_EQ(steps.size(), 1u);
    return steps.at(0);
}

std::string copied(const PageStep& step) {
    std::string memory(step.size(), '?');
    EXPECT_EQ(step.copied_to(memory.data()).bytes, memory);
    return memory;
}

TEST(PageVersion, a_record_comes_back_but_for_what_redo_does_not_ask) {
    const auto record = wal_record({100, 77, 0x1234, 0xF1, 10, 0, 0xC0FFEE}, 100);
    const auto value = encode_record(pg::PageBase::zero, Lsn{40}, Lsn{180}, std::as_bytes(std::span(record)));
    EXPECT_LT(value.size(), record.size() - 12);
    const PageStep step = only_step(value, Lsn{180});
    EXPECT_EQ(step.type, PageStep::Type::record);
    EXPECT_TRUE(step.is_base());
    EXPECT_TRUE(is_base_version(value));
    EXPECT_EQ(step.record_start, Lsn{40});
    EXPECT_EQ(copied(step), wal_record({100, 77, 0, 0xF1, 10, 0, 0}, 100));
}

TEST(PageVersion, what_is_no_whole_record_comes_back_as_it_is) {
    for (const auto& record : {std::string("short"), std::string(24, '\0'), wal_record({99, 77, 5, 1, 10, 0, 6}, 100),
                               wal_record({100, 77, 5, 1, 10, 1, 6}, 100), wal_record({24, 77, 5, 1, 10, 0, 6}, 24)}) {
        const auto value = encode_record(pg::PageBase::previous, Lsn{40}, Lsn{180}, std::as_bytes(std::span(record)));
        EXPECT_FALSE(is_base_version(value));
        EXPECT_EQ(copied(only_step(value, Lsn{180})), record);
    }
}

TEST(PageVersion, any_bytes_are_decoded_or_refused) {
    std::mt19937_64 random(3);
    const std::string record(50, 'r');
    const std::string whole = wal_record({50, 77, 5, 1, 10, 0, 6}, 50);
    const std::vector<std::string> good = {
        encode_zero_page(),
        encode_image(page_of(page_with_header(100, 8000, std::byte{7}, true))),
        encode_kept_image(page_of(heap_page())),
        encode_record(pg::PageBase::zero, Lsn{40}, Lsn{100}, std::as_bytes(std::span(record))),
        encode_record(pg::PageBase::previous, Lsn{40}, Lsn{100}, std::as_bytes(std::span(whole))),
        encode_edits(pg::PageBase::previous, "edits"),
        combine_steps(encode_edits(pg::PageBase::previous, "a"), encode_edits(pg::PageBase::previous, "b")),
    };
    for (int i = 0; i < 20000; ++i) {
        std::string value = good[random() % good.size()];
        switch (random() % 3) {
            case 0: value.resize(random() % (value.size() + 1)); break;
            case 1: value[random() % value.size()] = static_cast<char>(random()); break;
            default: value.insert(random() % value.size(), 1, static_cast<char>(random())); break;
        }
        std::vector<PageStep> steps;
        if (!decode_page_version(value, Lsn{100}, steps)) continue;
        Bytes page(pg::kPageBytes);
        for (const PageStep& step : steps)
            if (step.type == PageStep::Type::image || step.type == PageStep::Type::zero)
                step.write_page(pg::Page(page.data(), pg::kPageBytes));
    }
}

TEST(Rows, survive_encoding_and_refuse_other_lengths) {
    const pg::Counters counters{1ull << 40, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const pg::Parameters parameters{2, true, 200, 9, 11, 12, 13, true};
    const CommitTime commit{-5, {Lsn{9}, Lsn{8}}};
    const auto content = [](const std::string& value) { return std::string(**decode_presence(value)); };
    EXPECT_EQ(*decode_counters(content(encode_counters(counters))), counters);
    EXPECT_EQ(*decode_parameters(content(encode_parameters(parameters))), parameters);
    EXPECT_EQ(*decode_commit_time(content(encode_commit_time(commit))), commit);
    EXPECT_EQ(*decode_length(content(encode_length(77))), 77u);
    EXPECT_EQ(*decode_presence(encode_absent()), std::nullopt);
    EXPECT_EQ(decode_counters("short").error().code, ErrorCode::corrupt);
    EXPECT_EQ(decode_length("12345").error().code, ErrorCode::corrupt);
    EXPECT_EQ(decode_presence("").error().code, ErrorCode::corrupt);
    EXPECT_EQ(decode_presence(std::string("\0x", 2)).error().code, ErrorCode::corrupt);
    EXPECT_EQ(decode_presence("\x02").error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace bough::pageserver
