#include "compute/launcher/postmaster.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

namespace bough::compute {
namespace {

// In the place of a server that starts and never accepts a connection.
class SleepingProcess {
public:
    SleepingProcess() : pid_(::fork()) {
        if (pid_ == 0)
            for (;;) ::pause();
    }
    ~SleepingProcess() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

Settings nowhere() {
    return {.project = *ProjectId::parse("p"),
            .branch = *BranchId::parse("b"),
            .start_lsn = {},
            .term = {},
            .pageserver = {},
            .extension = {},
            .socket_directory = "/nonexistent",
            .listen_address = "127.0.0.1",
            .port = 1,
            .quorum = {}};
}

TEST(Postmaster, whoever_waits_for_its_start_gives_up_when_told_to) {
    const SleepingProcess process;
    std::stop_source stop;
    const std::jthread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        stop.request_stop();
    });
    const auto ready = wait_until_ready(process.pid(), nowhere(), "/nonexistent/log", std::chrono::hours(1), stop.get_token());
    ASSERT_FALSE(ready);
    EXPECT_EQ(ready.error().code, ErrorCode::unavailable);
    EXPECT_TRUE(stop.stop_requested());
    EXPECT_TRUE(alive(process.pid()));
}

TEST(Postmaster, one_that_takes_longer_than_it_may_is_an_error) {
    const SleepingProcess process;
    const auto ready = wait_until_ready(process.pid(), nowhere(), "/nonexistent/log", std::chrono::milliseconds(20), {});
    ASSERT_FALSE(ready);
    EXPECT_EQ(ready.error().code, ErrorCode::timeout);
}

}  // namespace
}  // namespace bough::compute
