#include "pageserver/page_service/service_threads.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

epoll_event once(ServiceThreads::Socket& socket, std::uint32_t events) {
    epoll_event event{};
    event.events = events | EPOLLONESHOT;
    event.data.ptr = &socket;
    return event;
}

Error failed(const char* what) { return {ErrorCode::io, std::string(what) + ": " + std::strerror(errno), {}}; }

}  // namespace

Result<std::unique_ptr<ServiceThreads>> ServiceThreads::start(std::size_t threads) {
    std::unique_ptr<ServiceThreads> made(new ServiceThreads);
    made->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll_ < 0) return failed("could not make an epoll set");
    made->jobs_waiting_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (made->jobs_waiting_ < 0) return failed("could not make an event descriptor");
    epoll_event jobs{};
    jobs.events = EPOLLIN;  // and no socket
    if (::epoll_ctl(made->epoll_, EPOLL_CTL_ADD, made->jobs_waiting_, &jobs) != 0) return failed("could not watch for jobs");
    for (std::size_t i = 0; i < threads; ++i) made->threads_.emplace_back([raw = made.get()] { raw->run(); });
    return made;
}

ServiceThreads::~ServiceThreads() {
    stop();
    if (jobs_waiting_ >= 0) ::close(jobs_waiting_);
    if (epoll_ >= 0) ::close(epoll_);
}

void ServiceThreads::stop() {
    stopping_ = true;
    const std::uint64_t one = 1;
    // Nobody takes it down again, so it wakes them all.
    if (jobs_waiting_ >= 0) BOUGH_CHECK(::write(jobs_waiting_, &one, sizeof(one)) == sizeof(one));
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    std::deque<std::function<void()>> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(jobs_);
}

Result<void> ServiceThreads::watch_first(int descriptor, Socket& socket) {
    epoll_event event = once(socket, EPOLLIN);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) return failed("could not watch a socket");
    return {};
}

void ServiceThreads::watch(int descriptor, Socket& socket, Readiness readiness) {
    epoll_event event = once(socket, readiness == Readiness::readable ? EPOLLIN : EPOLLOUT);
    BOUGH_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0);  // it has been added
}

void ServiceThreads::post(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
    }
    const std::uint64_t one = 1;
    BOUGH_CHECK(::write(jobs_waiting_, &one, sizeof(one)) == sizeof(one));
}

void ServiceThreads::run() {
    while (true) {
        // One at a time: the next is for another thread.
        epoll_event event{};
        const int ready = ::epoll_wait(epoll_, &event, 1, -1);
        if (stopping_) return;
        if (ready <= 0) continue;
        if (event.data.ptr == nullptr)
            run_job();
        else
            static_cast<Socket*>(event.data.ptr)->on_ready();
    }
}

void ServiceThreads::run_job() {
    std::uint64_t count = 0;
    if (::read(jobs_waiting_, &count, sizeof(count)) != sizeof(count)) return;  // another thread was first
    std::function<void()> job;
    {
        const std::lock_guard lock(mutex_);
        job = std::move(jobs_.front());
        jobs_.pop_front();
    }
    job();
}

}  // namespace bough::pageserver
