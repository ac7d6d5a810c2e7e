#include "election/member_exchange.hpp"

#include <gtest/gtest.h>

namespace bough::election {
namespace {

const Term kTerm{3};
const Lsn kBegin{0x100};
const Configuration kOld{4, {"a", "b", "c"}, {}}, kJoint{5, {"a", "b", "c"}, {"a", "b", "d"}}, kNew{6, {"a", "b", "d"}, {}};
const ExchangeGoal kExchange{{"a", "b", "d"}, false, true}, kBack{{"a", "b", "c"}, true, true};

Participation in_term(Configuration configuration, Lsn end = Lsn{0x400}) { return {kTerm, std::move(configuration), kTerm, end, end, true}; }

Participants all(const Configuration& configuration) {
    return {{"a", in_term(configuration)}, {"b", in_term(configuration)}, {"c", in_term(configuration)}, {"d", in_term(configuration)}};
}

std::string text(const ExchangeStep& step) {
    if (const auto* follow = std::get_if<LetFollow>(&step)) return "let follow " + follow->name;
    if (const auto* order = std::get_if<OrderConfiguration>(&step)) return "order " + to_string(order->configuration);
    if (const auto* require = std::get_if<RequireQuorum>(&step)) return "require " + to_string(require->configuration);
    if (const auto* commit = std::get_if<AwaitCommit>(&step)) return "await " + commit->lsn.to_string();
    if (const auto* rest = std::get_if<LetRest>(&step)) return "let rest who is not in " + to_string(rest->configuration);
    if (const auto* waiting = std::get_if<Waiting>(&step)) return "waiting for " + waiting->what;
    return "arrived";
}

TEST(MemberExchange, goes_from_the_old_members_to_both_to_the_new_ones) {
    MemberExchange exchange(kTerm, kBegin, kExchange, true);
    auto told = all(kOld);
    told.erase("d");
    EXPECT_EQ(text(exchange.next(told, kOld)), "let follow d");
    EXPECT_EQ(text(exchange.next(all(kOld), kOld)), "order 5: a b c, then a b d");
    exchange.ordered();
    told = all(kJoint);
    told["b"] = told["d"] = in_term(kJoint, Lsn{0x200});
    EXPECT_EQ(text(exchange.next(told, kJoint)), "require 5: a b c, then a b d");
    exchange.required(Lsn{0x300});
    // a and c alone are a majority of the old members.
    EXPECT_EQ(text(exchange.next(told, kJoint)), "await 0/300");
    told["d"] = in_term(kJoint, Lsn{0x300});
    EXPECT_EQ(text(exchange.next(told, kJoint)), "order 6: a b d");
    exchange.ordered();
    EXPECT_EQ(text(exchange.next(told, kNew)), "require 6: a b d");
    exchange.required(Lsn{0x300});
    EXPECT_EQ(text(exchange.next(told, kNew)), "let rest who is not in 6: a b d");
    EXPECT_EQ(text(exchange.next(told, kNew)), "arrived");
}

TEST(MemberExchange, who_is_far_behind_is_waited_for) {
    const Lsn end{0x1000000};
    Participants told{{"a", in_term(kOld, end)}, {"b", in_term(kOld, end)}, {"d", in_term(kOld)}};
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kExchange, true).next(told, kOld)), "waiting for safekeeper d, which is at 0/400 of 0/1000000");
    told["d"] = in_term(kOld, end);
    told["d"].streaming = false;
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kExchange, true).next(told, kOld)),
              "waiting for safekeeper d, which is at 0/1000000 of 0/1000000");
    // Where nobody writes there is nothing to stream.
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kExchange, false).next(told, kOld)), "order 5: a b c, then a b d");
}

TEST(MemberExchange, who_does_not_begin_the_term_is_asked_once) {
    MemberExchange exchange(kTerm, kBegin, kExchange, true);
    Participants told{{"a", in_term(kOld)}, {"b", in_term(kOld)}};
    EXPECT_EQ(text(exchange.next(told, kOld)), "let follow d");
    EXPECT_EQ(text(exchange.next(told, kOld)), "waiting for safekeeper d to begin term 3");
}

TEST(MemberExchange, the_members_that_are_count_on_a_majority_of_them_before_others_join) {
    const Configuration renewed{7, kOld.members, {}};
    Participants told{{"a", in_term(renewed)}, {"b", in_term(kOld)}, {"c", in_term(kOld)}, {"d", in_term(kOld)}};
    MemberExchange exchange(kTerm, kBegin, kExchange, true);
    EXPECT_EQ(text(exchange.next(told, renewed)), "order 7: a b c");
    exchange.ordered();
    told["b"] = in_term(renewed);
    EXPECT_EQ(text(exchange.next(told, renewed)), "order 8: a b c, then a b d");
}

// A former attempt ordered the joint one on one member, which was away until now.
TEST(MemberExchange, what_is_seen_only_after_an_order_is_not_taken_for_what_was_ordered) {
    Participants told{{"a", in_term(kOld)}, {"d", in_term(kOld)}};
    told["b"] = {};
    MemberExchange exchange(kTerm, kBegin, kExchange, true);
    EXPECT_EQ(text(exchange.next(told, kOld)), "order 4: a b c");
    exchange.ordered();
    told["b"] = in_term(kOld);
    told["c"] = in_term(kJoint);
    EXPECT_EQ(text(exchange.next(told, kJoint)), "order 5: a b c, then a b d");
}

// A launcher may have begun its term with a joint configuration that only a minority knew of.
TEST(MemberExchange, a_joint_configuration_is_seen_on_both_majorities_before_it_is_left) {
    MemberExchange exchange(kTerm, kBegin, kExchange, false);
    Participants told{{"a", in_term(kJoint)}, {"b", in_term(kOld)}, {"c", in_term(kOld)}, {"d", in_term(kOld)}};
    EXPECT_EQ(text(exchange.next(told, kJoint)), "order 5: a b c, then a b d");
    exchange.ordered();
    // Nobody writes: what was there when the term began is all there is.
    EXPECT_EQ(text(exchange.next(all(kJoint), kJoint)), "order 6: a b d");
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kExchange, true).next(all(kJoint), kJoint)), "require 5: a b c, then a b d");
}

TEST(MemberExchange, goes_back_under_a_generation_that_the_change_cannot_have_used) {
    MemberExchange exchange(kTerm, kBegin, kBack, false);
    // Both count once more: b, if it was told of the new members, and d, if it is told of nothing more, are a majority of those.
    EXPECT_EQ(text(exchange.next(all(kJoint), kJoint)), "order 7: a b d, then a b c");
    exchange.ordered();
    const Configuration return_joint{7, kNew.members, kOld.members};
    EXPECT_EQ(text(exchange.next(all(return_joint), return_joint)), "order 8: a b c");
    // So does an attempt that comes after one which ended in between.
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kBack, false).next(all(return_joint), return_joint)), "order 8: a b c");
    // Nobody who answers knows of the change, but b may.
    Participants told{{"a", in_term(kOld)}, {"c", in_term(kOld)}};
    MemberExchange unseen(kTerm, kBegin, kBack, false);
    EXPECT_EQ(text(unseen.next(told, kOld)), "order 7: a b c");
    unseen.ordered();
    EXPECT_EQ(text(unseen.next(told, kOld)), "let rest who is not in 7: a b c");
    EXPECT_EQ(text(unseen.next(told, kOld)), "arrived");
    // Where all answer there is nothing to doubt.
    EXPECT_EQ(text(MemberExchange(kTerm, kBegin, kBack, false).next(all(kOld), kOld)), "let rest who is not in 4: a b c");
}

TEST(MemberExchange, finds_itself_in_another_change_and_leaves_that_first) {
    MemberExchange exchange(kTerm, kBegin, {{"a", "c", "d"}, false}, false);
    EXPECT_EQ(text(exchange.next(all(kJoint), kJoint)), "order 6: a b d");
    exchange.ordered();
    EXPECT_EQ(text(exchange.next(all(kNew), kNew)), "waiting for another change");
}

// d was ordered a configuration that came into force nowhere, and is the only one to answer.
TEST(MemberExchange, does_not_go_by_what_less_than_a_quorum_tells) {
    for (const auto& untold : {kJoint, kNew}) {
        MemberExchange exchange(kTerm, kBegin, kExchange, true);
        EXPECT_EQ(text(exchange.next({{"d", in_term(untold)}}, untold)), "waiting for a majority of its safekeepers to answer");
        EXPECT_EQ(exchange.configuration().generation, 0u);
    }
}

// A safekeeper that rests has promised another term, and could not be brought back to in this one.
TEST(MemberExchange, nobody_is_put_to_rest_while_the_change_may_be_called_off) {
    MemberExchange exchange(kTerm, kBegin, {kNew.members, false, false}, true);
    EXPECT_EQ(text(exchange.next(all(kNew), kNew)), "require 6: a b d");
    exchange.required(Lsn{0x300});
    EXPECT_EQ(text(exchange.next(all(kNew), kNew)), "arrived");
}

}  // namespace
}  // namespace bough::election
