#include "pageserver/ingest/hot_pages.hpp"

#include <spdlog/spdlog.h>

namespace bough::pageserver {

HotPages::HotPages(PageReader& reader)
    : reader_(reader), thread_([this](const std::stop_token& stop) { run(stop); }) {}

HotPages::~HotPages() {
    thread_.request_stop();
    thread_.join();
}

void HotPages::add(const std::shared_ptr<const Branch>& branch, const std::vector<ObjectKey>& pages) {
    if (pages.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        for (const ObjectKey& page : pages) {
            if (queue_.size() >= kQueueMax) break;
            queue_.push_back({branch, page});
        }
    }
    filled_.notify_one();
}

std::size_t HotPages::queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

std::vector<HotPages::Entry> HotPages::take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    std::vector<Entry> taken;
    if (!filled_.wait(lock, stop, [this] { return !queue_.empty(); })) return taken;
    while (!queue_.empty() && taken.size() < PageReader::kPagesPerCut &&
           (taken.empty() || queue_.front().branch == taken.front().branch)) {
        taken.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return taken;
}

void HotPages::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const std::vector<Entry> taken = take(stop);
        if (taken.empty() || taken.front().branch->deleted()) continue;
        const Branch& branch = *taken.front().branch;
        std::vector<ObjectKey> pages;
        for (const Entry& entry : taken) pages.push_back(entry.page);
        const Lsn at = branch.ingest_lsn();
        if (const auto cut = reader_.cut_chains(branch, pages, at); !cut && !branch.deleted())
            spdlog::warn("branch {}: could not cut the chains of pages at {}: {}", branch.name(), at.to_string(),
                         cut.error().to_string());
    }
}

}  // namespace bough::pageserver
