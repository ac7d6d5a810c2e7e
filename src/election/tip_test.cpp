#include "election/tip.hpp"

#include <gtest/gtest.h>

namespace bough::election {
namespace {

Result<Standing> log(std::uint64_t term, std::uint64_t end, std::uint64_t commit = 0x1000) {
    return Standing{Term{term}, Term{term}, {}, Lsn{end}, Lsn{commit}};
}
Result<Standing> away() { return Error{ErrorCode::unavailable, "away", {}}; }
Result<Standing> keeps_nothing() { return Error{ErrorCode::not_found, "no such branch", {}}; }

TEST(Tip, is_what_a_majority_has_when_all_answer) {
    auto tip = find_tip({log(1, 0x2000), log(1, 0x4000), log(1, 0x3000)});
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end, Lsn{0x3000});
    EXPECT_EQ(tip->member, 2u);
    EXPECT_TRUE(tip->committed);
}

TEST(Tip, is_the_most_advanced_log_when_one_is_away) {
    auto tip = find_tip({log(1, 0x2000), log(1, 0x4000), away()});
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end, Lsn{0x4000});  // the one that is away may have it, too
    EXPECT_FALSE(tip->committed);
    tip = find_tip({log(1, 0x2000), log(1, 0x4000, 0x4000), away()});
    EXPECT_TRUE(tip->committed);
}

TEST(Tip, of_logs_of_different_terms_is_that_of_the_newest) {
    auto tip = find_tip({log(1, 0x9000), log(1, 0x9000), log(2, 0x4000)});
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end, Lsn{0x4000});
    EXPECT_FALSE(tip->committed);
    tip = find_tip({log(1, 0x9000), log(2, 0x5000), log(2, 0x4000)});
    EXPECT_EQ(tip->end, Lsn{0x4000});
    EXPECT_TRUE(tip->committed);
}

TEST(Tip, is_not_committed_by_a_log_that_catches_up_in_a_newer_term) {
    auto catching_up = log(1, 0x3000);
    catching_up->configured_in = Term{3};
    // The third may enter term 2, which begins at its end, after it was asked: then what the others have is not committed.
    auto tip = find_tip({log(1, 0x4000), catching_up, log(1, 0x2000)});
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end, Lsn{0x4000});
    EXPECT_FALSE(tip->committed);
    catching_up->configured_in = Term{1};
    tip = find_tip({log(1, 0x4000), catching_up, log(1, 0x2000)});
    EXPECT_EQ(tip->end, Lsn{0x3000});
    EXPECT_TRUE(tip->committed);
}

TEST(Tip, needs_a_majority) {
    EXPECT_EQ(find_tip({log(1, 0x2000), away(), away()}).error().code, ErrorCode::unavailable);
    EXPECT_TRUE(find_tip({keeps_nothing(), keeps_nothing(), away()})->none);
    EXPECT_EQ(find_tip({log(1, 0x2000), keeps_nothing(), away()})->end, Lsn{0x2000});
}

}  // namespace
}  // namespace bough::election
