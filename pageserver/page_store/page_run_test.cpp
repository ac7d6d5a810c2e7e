#include "pageserver/page_store/page_run.hpp"

#include <random>

#include <gtest/gtest.h>

#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {
namespace {

const ObjectKey kPage = ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, 7});

VersionKeyBytes key_at(Lsn lsn) { return encode_version_key(BranchNumber{3}, kPage, lsn); }
std::string_view view(const VersionKeyBytes& key) { return {key.data(), key.size()}; }

std::string run_of(const std::vector<std::pair<Lsn, std::string>>& versions) {
    PageRunWriter writer;
    for (const auto& [lsn, value] : versions) writer.add(lsn, value);
    std::string out;
    writer.encode(view(key_at(writer.first())), out);
    return out;
}

const std::vector<std::pair<Lsn, std::string>> kVersions = {
    {Lsn{100}, "first"}, {Lsn{101}, ""}, {Lsn{1ull << 40}, std::string(300, 'x')}, {Lsn{~0ull}, "last"}};

TEST(PageRun, versions_come_back_in_order_and_are_found_by_lsn) {
    PageRun run;
    const std::string value = run_of(kVersions);
    ASSERT_TRUE(run.parse(view(key_at(Lsn{100})), value).has_value());
    ASSERT_EQ(run.size(), kVersions.size());
    for (std::size_t i = 0; i < run.size(); ++i) {
        EXPECT_EQ(run[i].lsn, kVersions[i].first);
        EXPECT_EQ(run[i].value, kVersions[i].second);
        EXPECT_EQ(run.newest_at(kVersions[i].first), i);
    }
    EXPECT_EQ(run.newest_at(Lsn{99}), std::nullopt);
    EXPECT_EQ(run.newest_at(Lsn{5000}), 1u);
}

TEST(PageRun, another_key_or_any_changed_byte_is_refused) {
    const std::string value = run_of(kVersions);
    PageRun run;
    EXPECT_EQ(run.parse(view(key_at(Lsn{101})), value).error().code, ErrorCode::corrupt);
    const auto elsewhere = encode_version_key(BranchNumber{4}, kPage, Lsn{100});
    EXPECT_EQ(run.parse(view(elsewhere), value).error().code, ErrorCode::corrupt);
    for (std::size_t i = 0; i < value.size(); ++i) {
        std::string damaged = value;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
        EXPECT_FALSE(run.parse(view(key_at(Lsn{100})), damaged).has_value()) << i;
        EXPECT_EQ(run.size(), 0u);
        EXPECT_FALSE(run.parse(view(key_at(Lsn{100})), std::string_view(value).substr(0, i)).has_value()) << i;
    }
}

TEST(PageRun, a_version_that_needs_nothing_older_is_told_from_one_that_does) {
    const std::string record = "r";
    const auto bytes = std::as_bytes(std::span(record));
    const std::string edits = encode_edits(pg::PageBase::previous, "e");
    const std::vector<std::byte> page(pg::kPageBytes, std::byte{1});
    const std::string image = encode_image(pg::ConstPage(page.data(), pg::kPageBytes));
    EXPECT_TRUE(is_image_version(image));
    EXPECT_TRUE(is_base_version(image));
    for (const std::string& other : {std::string(), encode_zero_page(), encode_edits(pg::PageBase::zero, "e"),
                                     combine_steps(image, edits)})
        EXPECT_FALSE(is_image_version(other));
    EXPECT_TRUE(is_base_version(encode_zero_page()));
    EXPECT_TRUE(is_base_version(encode_record(pg::PageBase::zero, Lsn{1}, Lsn{2}, bytes)));
    EXPECT_FALSE(is_base_version(encode_record(pg::PageBase::previous, Lsn{1}, Lsn{2}, bytes)));
    EXPECT_TRUE(is_base_version(encode_edits(pg::PageBase::zero, "e")));
    EXPECT_FALSE(is_base_version(edits));
    EXPECT_FALSE(is_base_version(combine_steps(edits, edits)));
    EXPECT_TRUE(is_base_version(combine_steps(encode_zero_page(), edits)));
    EXPECT_TRUE(is_base_version(combine_steps(edits, encode_zero_page())));
    EXPECT_FALSE(is_base_version(""));
    EXPECT_FALSE(is_base_version("\x05\xFF\xFF\xFF\xFF"));
}

}  // namespace
}  // namespace bough::pageserver
