#include <gtest/gtest.h>

#include "base/timestamp.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough {

TEST(LsnText, round_trips_and_rejects_other_forms) {
    EXPECT_EQ(Lsn{0x16B374D848}.to_string(), "16/B374D848");
    EXPECT_EQ(Lsn::parse("16/B374D848"), Lsn{0x16B374D848});
    EXPECT_EQ(Lsn::parse("0/0"), Lsn{0});
    for (const char* bad : {"", "/", "1/", "/1", "1", "123456789/0", "0/123456789", "g/0", "0/ 1", "0/1 ", "-1/0", "0x1/0"})
        EXPECT_EQ(Lsn::parse(bad), std::nullopt) << bad;
}

TEST(Timestamps, forms_of_people_and_of_postgres) {
    const std::int64_t expected = 1'795'395'906'789'000;
    for (const char* text : {"2026-11-23T01:05:06.789Z", "2026-11-23 01:05:06.789+00", "2026-11-23 02:05:06.789000+01:00", "2026-11-22 19:35:06.789-0530",
                             "2026-11-23 01:05:06.789", "2026-11-23 01:05:06.789 UTC"}) {
        auto parsed = parse_timestamp(text);
        ASSERT_TRUE(parsed.has_value()) << text;
        EXPECT_EQ(*parsed, expected) << text;
    }
    EXPECT_EQ(timestamp_text(expected), "2026-11-23T01:05:06.789000Z");
    for (const char* bad : {"", "yesterday", "2026-13-01 00:00", "2026-02-30 00:00", "2026-11-23", "2026-11-23 24:00", "2026-11-23 01:05:06.", "2026-11-23 01:05 CET",
                            "2026-11-23 01:05:06.1234567", "2026-11-23 01:05:06Zx"})
        EXPECT_EQ(parse_timestamp(bad).error().code, ErrorCode::invalid_argument) << bad;
}

TEST(Ids, only_what_is_safe_in_paths_and_urls) {
    EXPECT_TRUE(ProjectId::parse("quiet-river-12").has_value());
    for (const char* bad : {"", "-a", "A", "a/b", "..", "a b", "a\n"})
        EXPECT_EQ(ProjectId::parse(bad).error().code, ErrorCode::invalid_argument) << bad;
    EXPECT_TRUE(ProjectId::parse(std::string(60, 'a')).has_value());
    EXPECT_FALSE(ProjectId::parse(std::string(61, 'a')).has_value());
}

}  // namespace bough
