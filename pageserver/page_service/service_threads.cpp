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

epoll_event once(void* who, std::uint32_t events) {
    epoll_event event{};
    event.events = events | EPOLLONESHOT;
    event.data.ptr = who;
    return event;
}

Error failed(const char* what) { return {ErrorCode::io, std::string(what) + ": " + std::strerror(errno), {}}; }

}  // namespace

Result<void> ServiceThreads::make_set() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return failed("could not make an epoll set");
    jobs_waiting_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (jobs_waiting_ < 0 || stop_ < 0) return failed("could not make an event descriptor");
    epoll_event stop{};
    stop.events = EPOLLIN;  // again and again
    stop.data.ptr = &stop_;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &stop) != 0) return failed("could not watch for the end");
    if (!watch_jobs(EPOLL_CTL_ADD)) return failed("could not watch for jobs");
    return {};
}

Result<std::unique_ptr<ServiceThreads>> ServiceThreads::start(std::size_t threads) {
    std::unique_ptr<ServiceThreads> made(new ServiceThreads);
    BOUGH_TRY(made->make_set());
    for (std::size_t i = 0; i < threads; ++i) made->threads_.emplace_back([raw = made.get()] { raw->run(); });
    return made;
}

ServiceThreads::~ServiceThreads() {
    stop();
    for (const int descriptor : {stop_, jobs_waiting_, epoll_})
        if (descriptor >= 0) ::close(descriptor);
}

void ServiceThreads::stop() {
    const std::uint64_t one = 1;
    if (!threads_.empty()) BOUGH_CHECK(::write(stop_, &one, sizeof(one)) == sizeof(one));
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    std::deque<std::function<void()>> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(jobs_);
    job_count_ = 0;
}

Result<void> ServiceThreads::watch_first(int descriptor, Socket& socket) {
    epoll_event event = once(&socket, EPOLLIN);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) return failed("could not watch a socket");
    return {};
}

void ServiceThreads::watch(int descriptor, Socket& socket, Readiness readiness) {
    epoll_event event = once(&socket, readiness == Readiness::readable ? EPOLLIN : EPOLLOUT);
    BOUGH_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0);  // it has been added
}

bool ServiceThreads::watch_jobs(int operation) const {
    // One thread for each: once, and again when that one has taken its job.
    epoll_event event = once(nullptr, EPOLLIN);
    return ::epoll_ctl(epoll_, operation, jobs_waiting_, &event) == 0;
}

void ServiceThreads::post(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        job_count_.fetch_add(1, std::memory_order_relaxed);
    }
    const std::uint64_t one = 1;
    BOUGH_CHECK(::write(jobs_waiting_, &one, sizeof(one)) == sizeof(one));
}

void ServiceThreads::run() {
    while (true) {
        // One at a time: the next is for another thread.
        epoll_event event{};
        if (::epoll_wait(epoll_, &event, 1, -1) <= 0) continue;
        if (event.data.ptr == &stop_) return;
        if (event.data.ptr != nullptr) static_cast<Socket*>(event.data.ptr)->on_ready();
        std::function<void()> job;
        if (event.data.ptr == nullptr || job_count_.load(std::memory_order_relaxed) > 0) job = next_job();
        if (event.data.ptr == nullptr) BOUGH_CHECK(watch_jobs(EPOLL_CTL_MOD));  // it is in the set
        if (job) job();
    }
}

std::function<void()> ServiceThreads::next_job() {
    // Whoever takes one down has a job; when another thread was first, there is none.
    std::uint64_t count = 0;
    if (::read(jobs_waiting_, &count, sizeof(count)) != sizeof(count)) return {};
    const std::lock_guard lock(mutex_);
    BOUGH_CHECK(!jobs_.empty());
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    job_count_.fetch_sub(1, std::memory_order_relaxed);
    return job;
}

}  // namespace bough::pageserver
