#include "election/standby_quorum.hpp"

#include <gtest/gtest.h>

namespace bough::election {
namespace {

using Names = std::vector<std::string>;
using Live = std::set<std::string>;

struct Case {
    Configuration configuration;
    Live live;
    std::size_t count;
    Names standbys;
};

TEST(StandbyQuorum, is_what_stock_postgres_can_say) {
    const Configuration one{1, {"a"}, {}}, three{1, {"a", "b", "c"}, {}}, five{1, {"a", "b", "c", "d", "e"}, {}};
    const Configuration to_two{2, {"a"}, {"a", "b"}}, to_three{2, {"a", "b"}, {"a", "b", "c"}};
    const Configuration exchange{2, {"a", "b", "c"}, {"a", "b", "d"}}, away{2, {"a", "b", "c"}, {"a", "b"}};
    const Case cases[] = {
        {one,      {"a"},                1, {"a"}},
        {three,    {"a", "b", "c"},      2, {"a", "b", "c"}},
        {three,    {"a"},                2, {"a", "b", "c"}},       // whoever is away may come back
        {five,     {"a", "b", "c"},      3, {"a", "b", "c", "d", "e"}},
        {to_two,   {"a", "b"},           2, {"a", "b"}},
        {to_three, {"a", "b", "c"},      2, {"a", "b"}},            // both old ones, which are two of the three
        {exchange, {"a", "b", "c", "d"}, 3, {"a", "b", "c", "d"}},  // one of four may be lost
        {exchange, {"a", "b", "d"},      3, {"a", "b", "c", "d"}},  // c is lost already
        {exchange, {"a", "b"},           2, {"a", "b"}},            // c and d are: a and b are two of both lists
        {away,     {"a", "b"},           2, {"a", "b"}},
    };
    for (const auto& c : cases) {
        auto quorum = standby_quorum(c.configuration, c.live);
        EXPECT_EQ(quorum.count, c.count) << to_string(c.configuration);
        EXPECT_EQ(quorum.standbys, c.standbys) << to_string(c.configuration);
    }
}

// The point of it: whichever standbys answer, they are a quorum.
TEST(StandbyQuorum, whichever_answer_are_a_quorum) {
    const Names everyone{"a", "b", "c", "d", "e"};
    auto list = [&](unsigned bits) {
        Names names;
        for (unsigned i = 0; i < everyone.size(); ++i)
            if (bits >> i & 1) names.push_back(everyone[i]);
        return names;
    };
    for (unsigned before = 1; before < 32; ++before) {
        for (unsigned after = 0; after < 32; ++after) {
            const Configuration configuration{2, list(before), list(after)};
            for (unsigned up = 0; up < 32; ++up) {
                auto live = list(up);
                auto quorum = standby_quorum(configuration, Live(live.begin(), live.end()));
                for (unsigned answer = 1; answer < 1u << quorum.standbys.size(); ++answer) {
                    Live answered;
                    for (unsigned i = 0; i < quorum.standbys.size(); ++i)
                        if (answer >> i & 1) answered.insert(quorum.standbys[i]);
                    if (answered.size() < quorum.count) continue;
                    ASSERT_TRUE(is_quorum(configuration, answered)) << to_string(configuration) << " any " << quorum.count;
                }
            }
        }
    }
}

TEST(StandbyQuorum, nobody_whom_either_setting_names_streams_while_it_changes) {
    EXPECT_EQ(named_by_either({"a", "b", "c"}, {"a", "b", "c", "d"}), (Names{"a", "b", "c", "d"}));
    EXPECT_EQ(named_by_either({"a", "b", "c"}, {"d", "b"}), (Names{"a", "b", "c", "d"}));
    EXPECT_EQ(named_by_either({}, {"a"}), Names{"a"});
}

}  // namespace
}  // namespace bough::election
