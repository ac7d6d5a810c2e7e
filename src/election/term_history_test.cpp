#include "election/term_history.hpp"

#include <gtest/gtest.h>

namespace bough::election {
namespace {

TermHistory make(std::vector<TermBegin> entries) { return TermHistory::make(std::move(entries)).value(); }
TermBegin at(std::uint64_t term, std::uint64_t begin) { return {Term{term}, Lsn{begin}}; }

TEST(TermHistory, order_is_kept) {
    EXPECT_FALSE(TermHistory::make({at(0, 1)}));
    EXPECT_FALSE(TermHistory::make({at(1, 10), at(1, 20)}));
    EXPECT_FALSE(TermHistory::make({at(2, 10), at(1, 20)}));
    EXPECT_FALSE(TermHistory::make({at(1, 20), at(2, 10)}));
    EXPECT_TRUE(TermHistory::make({at(1, 10), at(2, 10), at(5, 20)}));
}

TEST(TermHistory, a_log_belongs_to_the_newest_term_that_began_in_it) {
    auto history = make({at(1, 10), at(2, 20), at(3, 20), at(5, 40)});
    EXPECT_EQ(history.last_at(Lsn{19}).term, Term{1});
    EXPECT_EQ(history.last_at(Lsn{20}).term, Term{3});
    EXPECT_EQ(history.last_at(Lsn{40}).term, Term{5});
    EXPECT_EQ(history.last_at(Lsn{9}).term, Term{0});
}

TEST(TermHistory, logs_are_the_same_up_to_where_histories_part) {
    struct Case {
        const char* what;
        TermHistory mine;
        std::uint64_t mine_end;
        TermHistory theirs;
        std::uint64_t common;
    };
    const std::vector<Case> cases = {
        {"nothing was written", {}, 10, make({at(1, 10)}), 10},
        {"behind in the same term", make({at(1, 10)}), 30, make({at(1, 10), at(2, 40)}), 30},
        {"ahead in the same term", make({at(1, 10)}), 50, make({at(1, 10), at(2, 40)}), 40},
        {"a term of mine that lost", make({at(1, 10), at(2, 30)}), 50, make({at(1, 10), at(3, 40)}), 30},
        {"a term of theirs that I missed", make({at(1, 10)}), 50, make({at(1, 10), at(2, 30), at(3, 60)}), 30},
        {"an empty term of mine", make({at(1, 10), at(2, 30)}), 30, make({at(1, 10), at(3, 40)}), 30},
        {"still catching up", make({at(1, 10), at(3, 40)}), 20, make({at(1, 10), at(4, 30)}), 20},
        {"they forgot the old terms", make({at(1, 10), at(2, 30)}), 50, make({at(7, 60)}), 10},
    };
    for (const auto& c : cases) EXPECT_EQ(common_end(c.mine, Lsn{c.mine_end}, c.theirs, Lsn{10}).value(), Lsn{c.common}) << c.what;
}

TEST(TermHistory, what_is_shared_anyway_is_a_floor) {
    EXPECT_EQ(common_end(make({at(1, 10), at(2, 30)}), Lsn{50}, make({at(7, 60)}), Lsn{40}).value(), Lsn{40});
}

TEST(TermHistory, one_term_with_two_begins_is_refused) {
    EXPECT_EQ(common_end(make({at(1, 10)}), Lsn{50}, make({at(1, 20)}), Lsn{0}).error().code, ErrorCode::failed_precondition);
}

TEST(TermHistory, forgets_only_what_is_committed_and_older_than_a_counted_term) {
    auto history = make({at(1, 10), at(2, 20), at(3, 30), at(4, 40)});
    history.forget_below(Lsn{30}, Term{1}, 1);
    EXPECT_EQ(history.entries().size(), 4u);
    history.forget_below(Lsn{30}, Term{4}, 1);
    EXPECT_EQ(history, make({at(3, 30), at(4, 40)}));
    history.forget_below(Lsn{100}, Term{4}, 2);
    EXPECT_EQ(history, make({at(3, 30), at(4, 40)}));
}

TEST(TermHistory, contradictions_are_found_where_both_still_know) {
    auto mine = make({at(1, 10), at(3, 30), at(4, 40)});
    EXPECT_EQ(first_contradiction(mine, make({at(1, 10), at(3, 30), at(5, 60)}), Lsn{40}), std::nullopt);
    EXPECT_EQ(first_contradiction(mine, make({at(1, 10), at(3, 30), at(5, 60)}), Lsn{41}), Lsn{40});
    EXPECT_EQ(first_contradiction(mine, make({at(1, 10), at(2, 20), at(3, 30)}), Lsn{50}), Lsn{20});
    // Terms that wrote nothing leave no trace in the bytes.
    EXPECT_EQ(first_contradiction(mine, make({at(1, 10), at(2, 30), at(3, 30), at(4, 40)}), Lsn{99}), std::nullopt);
    // What one of them has forgotten is passed over.
    EXPECT_EQ(first_contradiction(mine, make({at(3, 30), at(4, 40), at(7, 90)}), Lsn{90}), std::nullopt);
    EXPECT_EQ(first_contradiction(mine, make({at(6, 45), at(7, 90)}), Lsn{50}), Lsn{45});
    EXPECT_EQ(first_contradiction(mine, make({at(6, 60), at(7, 90)}), Lsn{50}), std::nullopt);
    EXPECT_EQ(first_contradiction(mine, {}, Lsn{50}), std::nullopt);
}

}  // namespace
}  // namespace bough::election
