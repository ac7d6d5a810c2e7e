// Private to this folder: threads that wait for all sockets of the service together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bough/error.hpp"

namespace bough::pageserver {

// Each thread waits on the same epoll set, and who is woken does the work, so that a request costs one wake-up and no thread hands over to
// another. (Asio's threads wake one another for each event: a quarter of what a single page cost.) Thread-safe.
class ServiceThreads {
public:
    // Told on one of the threads.
    class Socket {
    public:
        virtual void on_ready() = 0;

    protected:
        ~Socket() = default;
    };

    // io: no epoll set, no descriptor left.
    static Result<std::unique_ptr<ServiceThreads>> start(std::size_t threads);
    ~ServiceThreads();
    ServiceThreads(const ServiceThreads&) = delete;
    ServiceThreads& operator=(const ServiceThreads&) = delete;

    // Joins the threads, and drops what was posted and has not begun.
    void stop();

    enum class Readiness { readable, writable };
    // Each watch tells the socket once, also of errors and of its other end being closed; it has to live until then, and the watch after that
    // is asked for by whom it told. Closing the descriptor ends it.
    Result<void> watch_first(int descriptor, Socket& socket);  // readable
    void watch(int descriptor, Socket& socket, Readiness readiness);

    // Done by one of the threads, in order of calls. A thread that has served a socket takes a job next, if there is one: in the epoll set all of
    // them together have one place among the sockets.
    void post(std::function<void()> job);

private:
    ServiceThreads() = default;
    Result<void> make_set();
    void run();
    bool watch_jobs(int operation) const;
    // Takes one job, if there is one.
    std::function<void()> next_job();

    int epoll_ = -1;
    // Both in the epoll set: a semaphore of jobs, which wakes one thread each, and what wakes all of them for good.
    int jobs_waiting_ = -1;
    int stop_ = -1;
    std::mutex mutex_;
    std::deque<std::function<void()>> jobs_;  // under mutex_
    std::atomic<std::size_t> job_count_ = 0;  // of jobs_, for a look without it
    std::vector<std::thread> threads_;
};

}  // namespace bough::pageserver
