#include <gtest/gtest.h>

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

TEST(Ids, only_what_is_safe_in_paths_and_urls) {
    EXPECT_TRUE(ProjectId::parse("quiet-river-12").has_value());
    for (const char* bad : {"", "-a", "A", "a/b", "..", "a b", "a\n"})
        EXPECT_EQ(ProjectId::parse(bad).error().code, ErrorCode::invalid_argument) << bad;
    EXPECT_TRUE(ProjectId::parse(std::string(60, 'a')).has_value());
    EXPECT_FALSE(ProjectId::parse(std::string(61, 'a')).has_value());
}

}  // namespace bough
