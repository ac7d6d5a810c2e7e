#include "safekeeper/branch/retention.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace bough::safekeeper {
namespace {

constexpr Lsn kNoPeers{std::numeric_limits<std::uint64_t>::max()};

TEST(Retention, nothing_goes_that_the_pageserver_does_not_have) {
    EXPECT_EQ(drop_limit({Lsn{0}, Lsn{500}, Lsn{600}, kNoPeers}, {100, 0}), Lsn{0});
    EXPECT_EQ(drop_limit({Lsn{400}, Lsn{500}, Lsn{600}, kNoPeers}, {100, 0}), Lsn{400});
}

TEST(Retention, nothing_goes_that_is_not_known_to_be_committed) {
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{500}, Lsn{600}, kNoPeers}, {100, 0}), Lsn{500});
}

TEST(Retention, a_peer_that_is_behind_finds_what_it_needs_within_the_bound) {
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, Lsn{550}}, {100, 0}), Lsn{550});
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, Lsn{300}}, {100, 0}), Lsn{500});
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, Lsn{0}}, {100, 0}), Lsn{500});
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, Lsn{0}}, {1000, 0}), Lsn{0});
}

TEST(Retention, the_bound_for_peers_never_overrules_the_pageserver) {
    EXPECT_EQ(drop_limit({Lsn{200}, Lsn{595}, Lsn{600}, Lsn{0}}, {100, 0}), Lsn{200});
}

TEST(Retention, so_much_is_kept_in_any_case) {
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, kNoPeers}, {100, 0}), Lsn{590});
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, kNoPeers}, {100, 250}), Lsn{350});
    EXPECT_EQ(drop_limit({Lsn{590}, Lsn{595}, Lsn{600}, kNoPeers}, {100, 1000}), Lsn{0});
    EXPECT_EQ(drop_limit({Lsn{200}, Lsn{595}, Lsn{600}, kNoPeers}, {100, 250}), Lsn{200});
}

}  // namespace
}  // namespace bough::safekeeper
