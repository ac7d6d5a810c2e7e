#include "pageserver/page_service/service_threads.hpp"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bough::pageserver {
namespace {

TEST(ServiceThreads, every_job_is_done_once) {
    const auto threads = *ServiceThreads::start(4);
    std::latch done(10'000);
    for (int i = 0; i < 10'000; ++i) threads->post([&] { done.count_down(); });
    done.wait();
}

TEST(ServiceThreads, they_end_while_jobs_are_posted) {
    for (int round = 0; round < 2000; ++round) {
        std::atomic<int> done = 0;
        const auto threads = *ServiceThreads::start(8);
        for (int i = 0; i < 3; ++i) threads->post([&] { ++done; });
        threads->stop();
        threads->post([&] { ++done; });  // dropped
        EXPECT_LE(done, 3);
    }
}

// Both ends of a connection; what comes at one is read once each time that it is told.
class Reader final : public ServiceThreads::Socket {
public:
    explicit Reader(ServiceThreads& threads) : threads_(threads) {
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
        EXPECT_TRUE(threads_.watch_first(ends_[0], *this).has_value());
    }
    ~Reader() {
        for (const int end : ends_) ::close(end);
    }
    void send() { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }
    void on_ready() override {
        char byte = 0;
        EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
        reads.fetch_add(1);
        reads.notify_all();
        threads_.watch(ends_[0], *this, ServiceThreads::Readiness::readable);
    }
    std::atomic<unsigned> reads = 0;

private:
    ServiceThreads& threads_;
    int ends_[2];
};

TEST(ServiceThreads, jobs_have_their_turn_beside_sockets_that_are_always_ready) {
    const auto threads = *ServiceThreads::start(1);
    constexpr unsigned kSockets = 50, kJobs = 200;
    std::vector<std::unique_ptr<Reader>> readers;
    std::latch go(1), done(kJobs);
    threads->post([&] { go.wait(); });  // until all is there
    for (unsigned i = 0; i < kSockets; ++i) {
        readers.push_back(std::make_unique<Reader>(*threads));
        for (unsigned j = 0; j < kJobs; ++j) readers.back()->send();
    }
    for (unsigned i = 0; i < kJobs; ++i) threads->post([&] { done.count_down(); });
    unsigned reads_then = 0;
    threads->post([&] {
        for (const auto& reader : readers) reads_then += reader->reads;
    });
    go.count_down();
    done.wait();
    for (const auto& reader : readers)
        for (unsigned now = reader->reads; now < kJobs; now = reader->reads) reader->reads.wait(now);
    threads->stop();
    EXPECT_LE(reads_then, 2 * kJobs) << "a job for each socket that was served";
}

}  // namespace
}  // namespace bough::pageserver
