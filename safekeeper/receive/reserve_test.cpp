#include "safekeeper/receive/reserve.hpp"

#include <map>

#include <gtest/gtest.h>

namespace bough::safekeeper::receive {
namespace {

using namespace std::chrono_literals;

std::vector<consensus::Peer> without(const std::vector<std::string>& members, const std::string& own) {
    std::vector<consensus::Peer> peers;
    for (const auto& member : members)
        if (member != own) peers.push_back({member, "host=" + member});
    return peers;
}

std::vector<std::string> reserve_of(const std::string& branch, const std::vector<std::string>& members) {
    std::vector<std::string> found;
    for (const auto& member : members)
        if (is_reserve(*BranchId::parse(branch), member, without(members, member))) found.push_back(member);
    return found;
}

TEST(Reserve, all_but_a_majority_are_of_the_reserve) {
    for (const char* branch : {"br-a", "br-b", "br-c"}) {
        EXPECT_EQ(reserve_of(branch, {"unix:/1"}).size(), 0u);
        EXPECT_EQ(reserve_of(branch, {"unix:/1", "unix:/2", "unix:/3"}).size(), 1u);
        EXPECT_EQ(reserve_of(branch, {"unix:/1", "unix:/2", "unix:/3", "unix:/4", "unix:/5"}).size(), 2u);
        EXPECT_EQ(reserve_of(branch, {"unix:/1", "unix:/2"}).size(), 0u);
    }
}

TEST(Reserve, branches_share_it_out) {
    std::map<std::string, int> times;
    for (int i = 0; i < 300; ++i)
        for (const auto& member : reserve_of("br-" + std::to_string(i), {"unix:/1", "unix:/2", "unix:/3"})) ++times[member];
    ASSERT_EQ(times.size(), 3u);
    for (const auto& [member, count] : times) EXPECT_GT(count, 50) << member;
}

class Pace : public testing::Test {
protected:
    ReservePace pace{4ms};
    ReservePace::Clock::time_point now = ReservePace::Clock::time_point{} + 1h;
    // A second of commits, during which the others stay `behind` bytes behind.
    std::chrono::milliseconds second_of_commits(std::uint64_t behind) {
        std::chrono::milliseconds last{};
        for (int i = 0; i < 100; ++i) {
            now += 10ms;
            flush = flush + 200;
            last = pace.after_batch(flush, Lsn{flush.value - behind}, 200, now);
        }
        return last;
    }
    Lsn flush{1 << 24};
};

TEST_F(Pace, takes_its_time_once_the_others_were_seen_to_keep_up) {
    EXPECT_EQ(pace.after_batch(flush, flush, 200, now), 0ms);
    EXPECT_EQ(second_of_commits(400), 4ms);
}

TEST_F(Pace, stands_in_for_others_that_fall_behind) {
    EXPECT_EQ(second_of_commits(0), 4ms);
    EXPECT_EQ(second_of_commits(1 << 20), 0ms);
    EXPECT_EQ(second_of_commits(0), 4ms);
}

TEST_F(Pace, never_waits_in_a_bulk_load) {
    EXPECT_EQ(second_of_commits(0), 4ms);
    EXPECT_EQ(pace.after_batch(flush, flush, 1 << 20, now), 0ms);
}

TEST(ReservePace, a_step_of_zero_means_never) {
    ReservePace pace{0ms};
    auto now = ReservePace::Clock::time_point{} + 1h;
    for (int i = 1; i < 5; ++i) EXPECT_EQ(pace.after_batch(Lsn{1000}, Lsn{1000}, 10, now + i * 1s), 0ms);
}

}  // namespace
}  // namespace bough::safekeeper::receive
