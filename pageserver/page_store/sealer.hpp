// Private to this folder: the thread that seals layers when they are full, or when all stores together hold too much.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "pageserver/page_store/open_bytes.hpp"

namespace bough::pageserver {

// Stores register themselves. A store that cannot be sealed just now is left for a while, and does not count for how much the others may
// hold: what is the matter with one of them is not to stop all. Thread-safe.
class Sealer {
public:
    enum class Outcome {
        done,
        later,  // its files are behind with something that must come first
        failed,
    };
    // What it needs of a store; called from its thread.
    class Sealed {
    public:
        virtual ~Sealed() = default;
        // The frozen layers, or the open ones too. Unless it is done it is tried again.
        virtual Outcome seal(bool open_ones_too) = 0;
        virtual std::size_t bytes_in_layers() const = 0;
    };

    explicit Sealer(OpenBytes& open_bytes);
    ~Sealer();
    Sealer(const Sealer&) = delete;
    Sealer& operator=(const Sealer&) = delete;

    void add(Sealed& store);
    // Returns when the store is not being sealed and will not be again.
    void remove(Sealed& store);
    // The store has frozen layers.
    void request(Sealed& store);

private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        Sealed* store;
        bool requested = false;
        Clock::time_point not_before{};
    };
    void run(const std::stop_token& stop);
    // Marks the store to seal next as busy, and says whether its open layers go too; null after a while without any.
    std::pair<Sealed*, bool> next(const std::stop_token& stop);
    void finish(Outcome outcome);
    // Under mutex_: the store that should go because all of them hold too much; null: none.
    Sealed* in_the_way(Clock::time_point now) const;

    OpenBytes& open_bytes_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Entry> stores_;  // under mutex_
    Sealed* busy_ = nullptr;     // under mutex_
    std::jthread thread_;
};

}  // namespace bough::pageserver
