#include "control/storage/safekeeper_client.hpp"

#include <unistd.h>

#include <gtest/gtest.h>

#include "net/address.hpp"

namespace bough::control {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

TEST(SafekeeperClient, one_that_is_silent_is_waited_for_once) {
    auto address = net::Address::parse("unix:/tmp/silent-safekeeper-" + std::to_string(::getpid()) + ".sock").value();
    // Connections are taken, and nobody answers.
    const int listener = net::listen(address).value();
    SafekeeperClient client({"silent", address, "", ""}, 1s);
    const ProjectId project = ProjectId::parse("pr-aaaaaaaaaaaaaaaa").value();
    const BranchId branch = BranchId::parse("br-aaaaaaaaaaaaaaaa").value();
    const auto begin = Clock::now();
    EXPECT_EQ(client.position(project, branch).error().code, ErrorCode::timeout);
    EXPECT_GE(Clock::now() - begin, 900ms);  // the kernel counts in ticks of its own
    for (int i = 0; i < 100; ++i) EXPECT_EQ(client.vote(project, branch, Term{1}).error().code, ErrorCode::timeout);
    EXPECT_LT(Clock::now() - begin, 50s) << "a hundred more calls have waited as long";
    ::close(listener);
    ::unlink(address.unix_path.c_str());
}

}  // namespace
}  // namespace bough::control
