// Private to this folder: drops in compactions what no kept read needs.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <rocksdb/compaction_filter.h>

#include "pageserver/history/histories.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

// Pages whose changes below the cutoff have become so much that an image there would be less. Thread-safe, bounded: what does not
// fit is found again by the next compaction.
class LongChains {
public:
    void add(BranchNumber branch, const ObjectKey& page);
    std::vector<ObjectKey> take(BranchNumber branch);

private:
    static constexpr std::size_t kPagesMax = 1 << 16;
    std::mutex mutex_;
    std::set<std::pair<BranchNumber, ObjectKey>> pages_;  // under mutex_
};

// Makes one filter per compaction, which acts on the histories as they were when the compaction began.
class HistoryFilterFactory final : public rocksdb::CompactionFilterFactory {
public:
    const char* Name() const override { return "bough.history"; }
    std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override;

    Histories& histories() { return histories_; }
    LongChains& long_chains() { return long_chains_; }

private:
    Histories histories_;
    LongChains long_chains_;
};

}  // namespace bough::pageserver
