#include "election/election.hpp"

#include <optional>

#include <gtest/gtest.h>

namespace bough::election {
namespace {

Standing log(std::uint64_t promised, std::vector<TermBegin> history, std::uint64_t end) {
    auto made = TermHistory::make(std::move(history)).value();
    return {Term{promised}, made.last_at(Lsn{end}).term, made, Lsn{end}, Lsn{0x100}};
}

Error away() { return {ErrorCode::unavailable, "away", {}}; }

struct ElectionOfThree : testing::Test {
    Election election{{"a", "b", "c"}};

    template <class T>
    std::vector<T> only(const std::vector<Action>& actions) {
        std::vector<T> found;
        for (const auto& action : actions)
            if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
        EXPECT_EQ(found.size(), actions.size());
        return found;
    }
    // Everybody has told that it promised this; the requests for votes are out.
    void ask_votes(std::uint64_t promised) {
        EXPECT_EQ(only<AskStanding>(election.start()).size(), 3u);
        election.step(Told{0, log(promised, {}, 0x100)});
        election.step(Told{1, log(0, {}, 0x100)});
        EXPECT_EQ(only<AskVote>(election.step(Told{2, away()})).size(), 3u);
        EXPECT_EQ(election.term(), Term{promised + 1});
    }
    static Voted granted(Member member, const Standing& standing) { return {member, Vote{true, standing}}; }
    static Voted refused(Member member, const Standing& standing) { return {member, Vote{false, standing}}; }
};

TEST_F(ElectionOfThree, begins_at_the_end_of_the_most_advanced_log_by_term_and_then_by_length) {
    ask_votes(4);
    election.step(granted(0, log(5, {{Term{1}, Lsn{0x100}}}, 0x900)));
    election.step(granted(1, log(5, {{Term{1}, Lsn{0x100}}, {Term{3}, Lsn{0x200}}}, 0x400)));
    auto begins = only<AskBegin>(election.step(granted(2, log(5, {{Term{1}, Lsn{0x100}}, {Term{3}, Lsn{0x200}}}, 0x300))));
    ASSERT_EQ(begins.size(), 3u);
    EXPECT_EQ(election.chosen(), 1u);
    for (const auto& begin : begins) {
        EXPECT_EQ(begin.order.begin, Lsn{0x400});
        EXPECT_EQ(begin.order.history.to_string(), "1@0/100 3@0/200 5@0/400");
        EXPECT_EQ(begin.order.donors, std::vector<Member>{1});
    }
    election.step(Begun{0, {}});
    EXPECT_EQ(election.state(), Election::State::beginning);
    election.step(Begun{1, {}});
    EXPECT_EQ(only<Won>(election.step(Begun{2, away()})).size(), 1u);
    EXPECT_EQ(election.begun(), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(election.late_order().donors, (std::vector<Member>{1, 0}));
}

TEST_F(ElectionOfThree, counts_no_member_twice) {
    ask_votes(0);
    auto standing = log(1, {}, 0x100);
    EXPECT_TRUE(election.step(granted(0, standing)).empty());
    EXPECT_TRUE(election.step(granted(0, standing)).empty());
    EXPECT_TRUE(election.step(granted(0, standing)).empty());
    election.step(refused(1, log(7, {}, 0x100)));
    auto lost = only<Lost>(election.step(Voted{2, away()}));
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_EQ(lost[0].error.code, ErrorCode::unavailable);
    EXPECT_EQ(lost[0].error.message, "no majority of the safekeepers votes for term 1: b has promised term 7 to another launcher; away");
}

TEST_F(ElectionOfThree, asks_only_those_to_begin_that_voted) {
    ask_votes(0);
    election.step(granted(0, log(1, {}, 0x100)));
    election.step(refused(1, log(1, {}, 0x100)));
    auto begins = only<AskBegin>(election.step(granted(2, log(1, {}, 0x100))));
    ASSERT_EQ(begins.size(), 2u);
    EXPECT_EQ(begins[0].member, 0u);
    EXPECT_EQ(begins[1].member, 2u);
    election.step(Begun{1, {}});  // not asked: nothing of ours
    election.step(Begun{0, {}});
    EXPECT_EQ(election.state(), Election::State::beginning);
}

TEST_F(ElectionOfThree, starts_no_compute_on_a_minority) {
    ask_votes(0);
    for (Member member : {0u, 1u, 2u}) election.step(granted(member, log(1, {}, 0x100)));
    election.step(Begun{0, {}});
    election.step(Begun{1, away()});
    EXPECT_EQ(only<Lost>(election.step(Begun{2, away()})).size(), 1u);
    EXPECT_TRUE(election.step(Begun{1, {}}).empty());
    EXPECT_EQ(election.state(), Election::State::lost);
}

TEST_F(ElectionOfThree, needs_a_majority_to_know_which_term_is_next) {
    election.start();
    election.step(Told{0, log(3, {}, 0x100)});
    election.step(Told{1, away()});
    EXPECT_EQ(only<Lost>(election.step(Told{2, away()})).size(), 1u);
}

TEST_F(ElectionOfThree, refuses_a_history_that_cannot_be) {
    ask_votes(1);
    auto odd = log(2, {{Term{9}, Lsn{0x100}}}, 0x200);
    for (Member member : {0u, 1u}) election.step(granted(member, odd));
    auto lost = only<Lost>(election.step(granted(2, odd)));
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_EQ(lost[0].error.code, ErrorCode::corrupt);
}

TEST(ElectionOfOne, is_won_by_its_one_member) {
    Election election({"a"});
    election.start();
    election.step(Told{0, log(2, {}, 0x100)});
    election.step(Voted{0, Vote{true, log(3, {{Term{2}, Lsn{0x100}}}, 0x180)}});
    auto actions = election.step(Begun{0, {}});
    ASSERT_EQ(actions.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<Won>(actions[0]));
    EXPECT_EQ(election.order().begin, Lsn{0x180});
}

// --- members that change -------------------------------------------------------------------------------------------------------

Standing in_configuration(Standing standing, std::uint64_t term, Configuration configuration) {
    standing.configured_in = Term{term};
    standing.configuration = std::move(configuration);
    return standing;
}

// a, b and c, of whom d takes c's place.
struct ElectionInAChange : testing::Test {
    const Configuration before{1, {"a", "b", "c"}, {}}, joint{2, {"a", "b", "c"}, {"a", "b", "d"}}, after{3, {"a", "b", "d"}, {}};
    Election election{{"a", "b", "c", "d"}, Configuration{1, {"a", "b", "c"}, {}}};
    const Standing base = log(4, {{Term{4}, Lsn{0x100}}}, 0x200);

    // Each votes unless it is away; gives what comes of the last answer.
    std::vector<Action> vote(const std::vector<std::optional<Configuration>>& told) {
        auto actions = election.start();
        for (Member member = 0; member < told.size(); ++member)
            actions = election.step(told[member] ? Told{member, in_configuration(base, 4, *told[member])} : Told{member, away()});
        std::vector<Action> next;
        for (const auto& action : actions) {
            const auto* ask = std::get_if<AskVote>(&action);
            if (ask == nullptr) return actions;
            next = election.step(told[ask->member] ? Voted{ask->member, Vote{true, in_configuration(base, 4, *told[ask->member])}}
                                                   : Voted{ask->member, away()});
        }
        return next;
    }
};

TEST_F(ElectionInAChange, a_joint_configuration_needs_both_majorities) {
    auto lost = vote({joint, std::nullopt, joint, std::nullopt});  // two of the old, one of the new
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<Lost>(lost.front()));
}

TEST_F(ElectionInAChange, begins_in_the_configuration_that_was_won) {
    auto begins = vote({joint, before, std::nullopt, joint});
    ASSERT_EQ(begins.size(), 3u);
    for (const auto& action : begins) EXPECT_EQ(std::get<AskBegin>(action).order.configuration, joint);
    // A majority of the old list has begun, but not of the new one.
    election.step(Begun{0, {}});
    election.step(Begun{1, away()});
    EXPECT_TRUE(std::holds_alternative<Lost>(election.step(Begun{3, {}}).front()));
}

TEST_F(ElectionInAChange, one_that_was_told_of_the_new_members_is_enough_to_know) {
    auto lost = vote({after, std::nullopt, before, std::nullopt});  // two of the old, but they do not count any more
    EXPECT_TRUE(std::holds_alternative<Lost>(lost.front()));
}

TEST_F(ElectionInAChange, who_does_not_count_has_no_vote) {
    auto begins = vote({before, before, std::nullopt, before});
    ASSERT_EQ(begins.size(), 2u);
    EXPECT_EQ(std::get<AskBegin>(begins[0]).member, 0u);
    EXPECT_EQ(std::get<AskBegin>(begins[1]).member, 1u);
}

// a, who leaves by it, is the only one to know that b alone counts now; b was not told and would have a win with it.
TEST_F(ElectionInAChange, whom_a_voter_names_is_asked_too) {
    const Configuration both{2, {"a"}, {"b"}}, alone{3, {"b"}, {}};
    for (bool votes : {true, false}) {
        Election exchange({"a", "b"}, Configuration{1, {"a"}, {}});
        exchange.start();
        exchange.step(Told{0, in_configuration(base, 4, alone)});
        auto asked = exchange.step(Told{1, in_configuration(base, 4, both)});
        ASSERT_EQ(asked.size(), 2u);
        for (Member member : {0u, 1u}) EXPECT_EQ(std::get<AskVote>(asked[member]).member, member);
        exchange.step(Voted{1, Vote{true, in_configuration(base, 4, both)}});
        auto then = exchange.step(votes ? Voted{0, Vote{true, in_configuration(base, 4, alone)}} : Voted{0, away()});
        if (votes) EXPECT_EQ(std::get<AskBegin>(then.front()).order.configuration, alone);
        else EXPECT_TRUE(std::holds_alternative<Lost>(then.front()));
    }
}

TEST_F(ElectionInAChange, a_newer_term_s_configuration_counts_whatever_its_generation) {
    EXPECT_EQ(in_force({in_configuration(base, 4, after), in_configuration(base, 5, joint)}, before), joint);
    EXPECT_EQ(in_force({in_configuration(base, 4, joint), in_configuration(base, 4, after)}, before), after);
    EXPECT_EQ(in_force({in_configuration(base, 4, {})}, before), before);
    EXPECT_EQ(in_force({}, before), before);
}

}  // namespace
}  // namespace bough::election
