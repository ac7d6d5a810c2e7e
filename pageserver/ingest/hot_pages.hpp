// Cuts the chains of pages that are written very often, in the background of ingest.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pageserver/branching/branch.hpp"
#include "pageserver/read/page_reader.hpp"

namespace bough::pageserver {

// One thread, from construction to destruction. What does not fit into its queue is left out: it comes again if it goes on being
// written. Thread-safe.
class HotPages {
public:
    static constexpr std::size_t kQueueMax = 4096;

    explicit HotPages(PageReader& reader);
    ~HotPages();
    HotPages(const HotPages&) = delete;
    HotPages& operator=(const HotPages&) = delete;

    void add(const std::shared_ptr<const Branch>& branch, const std::vector<ObjectKey>& pages);
    std::size_t queued() const;

private:
    struct Entry {
        std::shared_ptr<const Branch> branch;
        ObjectKey page;
    };
    void run(const std::stop_token& stop);
    // Some pages of one branch; empty when stopped.
    std::vector<Entry> take(const std::stop_token& stop);

    PageReader& reader_;
    mutable std::mutex mutex_;
    std::condition_variable_any filled_;
    std::deque<Entry> queue_;  // under mutex_
    std::jthread thread_;
};

}  // namespace bough::pageserver
