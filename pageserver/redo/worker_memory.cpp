#include "pageserver/redo/worker_memory.hpp"

#include <atomic>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kRequestRing = BOUGH_REDO_REQUEST_RING_BYTES, kReplyRing = BOUGH_REDO_REPLY_RING_BYTES;

template <class T>
T load(const T& field, std::memory_order order) {
    return std::atomic_ref(const_cast<T&>(field)).load(order);
}

template <class T>
void store(T& field, T value, std::memory_order order) {
    std::atomic_ref(field).store(value, order);
}

std::byte* map(int fd, std::size_t offset, std::size_t bytes, int protection, void* at = nullptr) {
    void* mapped = mmap(at, bytes, protection, MAP_SHARED | (at != nullptr ? MAP_FIXED : 0), fd, static_cast<off_t>(offset));
    return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

std::byte* map_twice(int fd, std::size_t offset, std::size_t bytes, int protection) {
    void* room = mmap(nullptr, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return nullptr;
    auto* begin = static_cast<std::byte*>(room);
    if (map(fd, offset, bytes, protection, begin) == nullptr || map(fd, offset, bytes, protection, begin + bytes) == nullptr) {
        munmap(room, 2 * bytes);
        return nullptr;
    }
    return begin;
}

}  // namespace

Result<std::unique_ptr<WorkerMemory>> WorkerMemory::create() {
    std::unique_ptr<WorkerMemory> memory(new WorkerMemory());
    memory->fd_ = memfd_create("bough redo worker", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->fd_ < 0 || ftruncate(memory->fd_, BOUGH_REDO_MEMORY_BYTES) != 0 ||
        fcntl(memory->fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return io_error("could not make memory to share with a redo worker", errno);
    const int fd = memory->fd_;
    memory->ours_ = reinterpret_cast<BoughRedoPositions*>(
        map(fd, BOUGH_REDO_CALLER_OFFSET, BOUGH_REDO_POSITIONS_BYTES, PROT_READ | PROT_WRITE));
    memory->theirs_ =
        reinterpret_cast<BoughRedoPositions*>(map(fd, BOUGH_REDO_WORKER_OFFSET, BOUGH_REDO_POSITIONS_BYTES, PROT_READ));
    memory->requests_ = map_twice(fd, BOUGH_REDO_REQUESTS_OFFSET, kRequestRing, PROT_READ | PROT_WRITE);
    memory->replies_ = map_twice(fd, BOUGH_REDO_REPLIES_OFFSET, kReplyRing, PROT_READ);
    if (memory->ours_ == nullptr || memory->theirs_ == nullptr || memory->requests_ == nullptr || memory->replies_ == nullptr)
        return io_error("could not map memory to share with a redo worker", errno);
    return memory;
}

WorkerMemory::~WorkerMemory() {
    close_descriptor();
    const auto unmap = [](const void* at, std::size_t bytes) {
        if (at != nullptr) munmap(const_cast<void*>(at), bytes);
    };
    unmap(ours_, BOUGH_REDO_POSITIONS_BYTES);
    unmap(theirs_, BOUGH_REDO_POSITIONS_BYTES);
    unmap(requests_, 2 * kRequestRing);
    unmap(replies_, 2 * kReplyRing);
}

void WorkerMemory::close_descriptor() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
}

std::span<std::byte> WorkerMemory::room(std::size_t bytes) {
    const std::uint64_t unread = written_ - load(theirs_->read, std::memory_order_acquire);
    if (unread > kRequestRing) {
        broken_ = true;
        return {};
    }
    if (kRequestRing - unread < bytes) return {};
    return {requests_ + written_ % kRequestRing, static_cast<std::size_t>(kRequestRing - unread)};
}

void WorkerMemory::sent(std::size_t bytes) {
    written_ += bytes;
    store(ours_->written, written_, std::memory_order_release);
}

std::span<const std::byte> WorkerMemory::replies() {
    const std::uint64_t waiting = load(theirs_->written, std::memory_order_acquire) - read_;
    if (waiting > kReplyRing) {
        broken_ = true;
        return {};
    }
    return {replies_ + read_ % kReplyRing, static_cast<std::size_t>(waiting)};
}

void WorkerMemory::received(std::size_t bytes) {
    read_ += bytes;
    store(ours_->read, read_, std::memory_order_release);
}

bool WorkerMemory::must_ring() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint32_t sleep = load(theirs_->sleep, std::memory_order_relaxed);
    return (sleep & 1) != 0 && std::exchange(rung_for_, sleep) != sleep;
}

bool WorkerMemory::worth_spinning() const {
    const int here = sched_getcpu();
    if (here >= 0) store(ours_->cpu, static_cast<std::uint32_t>(here), std::memory_order_relaxed);
    return (load(theirs_->sleep, std::memory_order_relaxed) & 1) == 0 &&
           load(theirs_->cpu, std::memory_order_relaxed) != static_cast<std::uint32_t>(here);
}

void WorkerMemory::begin_sleep() {
    store(ours_->sleep, ours_->sleep + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

void WorkerMemory::end_sleep() { store(ours_->sleep, ours_->sleep + 1, std::memory_order_relaxed); }

}  // namespace bough::pageserver
