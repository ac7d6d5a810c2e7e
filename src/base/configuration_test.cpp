#include "bough/configuration.hpp"

#include <gtest/gtest.h>

namespace bough {
namespace {

using Names = std::set<std::string>;

TEST(Configuration, a_joint_quorum_is_a_majority_of_each_list) {
    struct Case {
        Configuration configuration;
        Names names;
        bool quorum;
    };
    const Configuration one{1, {"a"}, {}}, three{1, {"a", "b", "c"}, {}};
    const Configuration growing{2, {"a"}, {"a", "b"}}, replacing{2, {"a", "b", "c"}, {"a", "b", "d"}}, apart{2, {"a", "b", "c"}, {"d", "e", "f"}};
    const Case cases[] = {
        {one,       {"a"},                true},
        {one,       {"b"},                false},
        {three,     {"a", "c"},           true},
        {three,     {"a", "d"},           false},
        {growing,   {"a"},                false},  // one of two is no majority
        {growing,   {"a", "b"},           true},
        {replacing, {"a", "b"},           true},
        {replacing, {"a", "d"},           false},  // of the new list only
        {replacing, {"a", "c"},           false},  // of the old list only
        {replacing, {"a", "c", "d"},      true},
        {apart,     {"a", "b", "d"},      false},
        {apart,     {"a", "b", "d", "f"}, true},
    };
    for (const auto& c : cases) EXPECT_EQ(is_quorum(c.configuration, c.names), c.quorum) << to_string(c.configuration);
}

// What makes a change of members safe: no quorum of a configuration misses one of the next.
TEST(Configuration, quorums_of_neighbouring_configurations_meet) {
    const std::vector<std::string> everyone{"a", "b", "c", "d", "e"};
    auto subset = [&](unsigned bits) {
        Names names;
        for (unsigned i = 0; i < everyone.size(); ++i)
            if (bits >> i & 1) names.insert(everyone[i]);
        return names;
    };
    auto list = [&](unsigned bits) {
        auto names = subset(bits);
        return std::vector<std::string>(names.begin(), names.end());
    };
    std::size_t met = 0;
    for (unsigned before = 1; before < 32; ++before) {
        for (unsigned after = 1; after < 32; ++after) {
            const Configuration joint{2, list(before), list(after)};
            for (const auto& simple : {Configuration{1, list(before), {}}, Configuration{3, list(after), {}}}) {
                for (unsigned one = 1; one < 32; ++one) {
                    if (!is_quorum(joint, subset(one))) continue;
                    // Every quorum of the other lies outside of `one` only if the rest of the names holds one.
                    ASSERT_FALSE(is_quorum(simple, subset(31 & ~one))) << to_string(joint) << " / " << to_string(simple);
                    ++met;
                }
            }
        }
    }
    EXPECT_GT(met, 10000u);
}

TEST(Configuration, committed_is_what_both_lists_have) {
    const Configuration replacing{2, {"a", "b", "c"}, {"a", "b", "d"}};
    EXPECT_EQ(quorum_end(replacing, {{"a", Lsn{50}}, {"b", Lsn{30}}, {"c", Lsn{40}}, {"d", Lsn{10}}}), Lsn{30});
    EXPECT_EQ(quorum_end(replacing, {{"a", Lsn{50}}, {"c", Lsn{40}}, {"d", Lsn{10}}}), Lsn{10});
    EXPECT_EQ(quorum_end(replacing, {{"a", Lsn{50}}, {"c", Lsn{40}}}), Lsn{});
    EXPECT_EQ(quorum_end({1, {"a", "b"}, {}}, {{"a", Lsn{50}}, {"b", Lsn{20}}}), Lsn{20});
}

TEST(Configuration, nonsense_is_refused) {
    EXPECT_TRUE(check_configuration({1, {"a"}, {"a", "b"}}).has_value());
    const Configuration nonsense[] = {{}, {0, {"a"}, {}}, {1, {}, {"a"}}, {1, {"a", "a"}, {}}, {1, {"a"}, {"b", "b"}}, {1, {""}, {}},
                                      {1, {"a", "b", "c", "d", "e", "f", "g", "h"}, {}}};
    for (const auto& configuration : nonsense) EXPECT_FALSE(check_configuration(configuration).has_value()) << to_string(configuration);
}

}  // namespace
}  // namespace bough
