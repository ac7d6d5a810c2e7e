// The memory shared with one redo worker: two rings and two pairs of positions (proto/redo_worker.h), as the pageserver sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "bough/error.hpp"
#include "proto/redo_worker.h"

namespace bough::pageserver {

// Owns the memory. Not thread-safe. The worker may write anything into its part at any time: its positions are read once each
// time they are used and checked, and what is in the replies is as good as what a socket brings. It cannot change the memory's
// size (sealed), nor what we write (mapped there for reading).
class WorkerMemory {
public:
    static Result<std::unique_ptr<WorkerMemory>> create();
    ~WorkerMemory();
    WorkerMemory(const WorkerMemory&) = delete;
    WorkerMemory& operator=(const WorkerMemory&) = delete;

    // For the worker to map; -1 after close_descriptor().
    int descriptor() const { return fd_; }
    void close_descriptor();

    // Room for requests, in one piece; at least `bytes` long, or empty. sent() gives the worker what was put there.
    std::span<std::byte> room(std::size_t bytes);
    void sent(std::size_t bytes);

    // What there is of replies, in one piece. received() gives its room back.
    std::span<const std::byte> replies();
    void received(std::size_t bytes);

    // A position of the worker's made no sense: nothing it says is to be believed.
    bool broken() const { return broken_; }

    // ---- sleeping and waking

    // Whether the worker must be woken for what was sent or received since; true once for each of its sleeps.
    bool must_ring();
    // Whether the worker is at work on a processor other than this one: only then is looking at replies() of use.
    bool worth_spinning() const;
    // Between the two, whoever sends a reply rings. The caller looks at replies() once more after the first.
    void begin_sleep();
    void end_sleep();

private:
    WorkerMemory() = default;

    int fd_ = -1;
    BoughRedoPositions* ours_ = nullptr;
    const BoughRedoPositions* theirs_ = nullptr;
    std::byte* requests_ = nullptr;       // mapped twice, end to end
    const std::byte* replies_ = nullptr;  // as well
    std::uint64_t written_ = 0;           // our own positions: the memory's copies are for the worker
    std::uint64_t read_ = 0;
    std::uint32_t rung_for_ = 0;
    bool broken_ = false;
};

}  // namespace bough::pageserver
