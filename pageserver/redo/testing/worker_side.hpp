// The worker's side of shared memory, for tests that play a worker: an honest one or one that writes what it likes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include <sys/mman.h>

#include "proto/redo_worker.h"

namespace bough::pageserver::testing {

class WorkerSide {
public:
    // `descriptor` is WorkerMemory's.
    explicit WorkerSide(int descriptor) {
        void* at = mmap(nullptr, BOUGH_REDO_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        if (at == MAP_FAILED) throw std::runtime_error("could not map the memory");
        begin_ = static_cast<std::byte*>(at);
    }
    ~WorkerSide() { munmap(begin_, BOUGH_REDO_MEMORY_BYTES); }
    WorkerSide(const WorkerSide&) = delete;
    WorkerSide& operator=(const WorkerSide&) = delete;

    BoughRedoPositions& positions() { return *reinterpret_cast<BoughRedoPositions*>(begin_ + BOUGH_REDO_WORKER_OFFSET); }
    const BoughRedoPositions& caller() const { return *reinterpret_cast<BoughRedoPositions*>(begin_ + BOUGH_REDO_CALLER_OFFSET); }
    std::span<std::byte> requests() { return {begin_ + BOUGH_REDO_REQUESTS_OFFSET, BOUGH_REDO_REQUEST_RING_BYTES}; }
    std::span<std::byte> replies() { return {begin_ + BOUGH_REDO_REPLIES_OFFSET, BOUGH_REDO_REPLY_RING_BYTES}; }

    // Puts a reply down as a worker does.
    void reply(std::span<const std::byte> bytes) {
        BoughRedoPositions& mine = positions();
        for (std::size_t i = 0; i < bytes.size(); i++) replies()[(mine.written + i) % BOUGH_REDO_REPLY_RING_BYTES] = bytes[i];
        __atomic_store_n(&mine.written, mine.written + bytes.size(), __ATOMIC_RELEASE);
    }
    // Has read everything there is.
    void read_all() {
        __atomic_store_n(&positions().read, __atomic_load_n(&caller().written, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
    }

private:
    std::byte* begin_;
};

}  // namespace bough::pageserver::testing
