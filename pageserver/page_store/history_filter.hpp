// Private to this folder: drops in compactions what no kept read needs.
#pragma once

#include <memory>

#include <rocksdb/compaction_filter.h>

#include "pageserver/history/histories.hpp"
#include "pageserver/page_store/image_candidates.hpp"

namespace bough::pageserver {

// Makes one filter per compaction, which acts on the histories as they were when the compaction began.
class HistoryFilterFactory final : public rocksdb::CompactionFilterFactory {
public:
    const char* Name() const override { return "bough.history"; }
    std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override;

    Histories& histories() { return histories_; }
    ImageCandidates& image_candidates() { return image_candidates_; }

private:
    Histories histories_;
    ImageCandidates image_candidates_;
};

}  // namespace bough::pageserver
