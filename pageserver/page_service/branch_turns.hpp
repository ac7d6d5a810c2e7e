// Private to this folder: no branch's clients take all threads, however many there are.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "pageserver/branching/branch.hpp"

namespace bough::pageserver {

class PageConnection;

// A connection that has something to do takes a turn and answers what its client has asked by then. A branch has a few turns at once; whose
// connections are more wait here, in order, and not among those of other branches, for which there is a thread then. Thread-safe.
class BranchTurns {
public:
    // `waiting` counts those that wait, of all branches.
    BranchTurns(unsigned at_once, std::atomic<std::uint64_t>& waiting) : at_once_(at_once), waiting_count_(waiting) {}

    // True: the turn begins now. False: the connection is kept, and resumed when it is its turn. Each turn is to be ended.
    bool begin(std::shared_ptr<PageConnection> connection);
    void end();
    // Who waits is forgotten.
    void clear();

private:
    const unsigned at_once_;
    std::atomic<std::uint64_t>& waiting_count_;
    std::mutex mutex_;
    unsigned taken_ = 0;                                   // under mutex_, as the rest
    std::deque<std::shared_ptr<PageConnection>> waiting_;  // only while all turns are taken
};

// The turns of every branch that has connections. Thread-safe; outlives what it gives.
class TurnsOfBranches {
public:
    TurnsOfBranches(unsigned at_once, std::atomic<std::uint64_t>& waiting) : at_once_(at_once), waiting_count_(waiting) {}

    // Keep `branch` as long.
    std::shared_ptr<BranchTurns> of(const Branch& branch);
    // When no thread serves any more: who waits is forgotten.
    void clear();

private:
    void forget(const Branch* branch);

    const unsigned at_once_;
    std::atomic<std::uint64_t>& waiting_count_;
    std::mutex mutex_;
    std::unordered_map<const Branch*, std::weak_ptr<BranchTurns>> turns_;  // under mutex_
};

}  // namespace bough::pageserver
