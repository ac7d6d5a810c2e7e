#include "pageserver/page_store/history_filter.hpp"

#include <algorithm>
#include <optional>

#include "pageserver/history/version_sieve.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {
namespace {

// An image that takes no base's place (the base is an ancestor's, or somebody still reads it) costs less than the changes it replaces
// from here on: it has 8 KB, and compresses better than they do.
constexpr std::size_t kMoreThanImageBytes = 12 << 10;
constexpr std::size_t kMoreThanImageVersions = 64;
// One that takes a record's place (a COPY's, say) has more than the record by row headers and their like, of which so many bytes take
// as much as one of changes: pgbench's pages grow by 2,000 bytes and 140 compressed, changes have 110 bytes and 66. The newest change, which
// is not counted, pays for redo.
constexpr std::size_t kHeaderBytesPerChangeByte = 10;

class HistoryFilter final : public rocksdb::CompactionFilter {
public:
    HistoryFilter(std::shared_ptr<const HistoryView> view, ImageCandidates& image_candidates)
        : view_(std::move(view)), image_candidates_(image_candidates) {}

    const char* Name() const override { return "bough.history"; }

    // Keys come in order: of one object's the newest first.
    Decision FilterV2(int, const rocksdb::Slice& key_bytes, ValueType type, const rocksdb::Slice& value, std::string* new_value,
                      std::string*) const override {
        if (type != ValueType::kValue) return Decision::kKeep;
        const std::string_view key_view(key_bytes.data(), key_bytes.size());
        const auto key = decode_version_key(key_view);
        if (!key || !enter(*key)) return Decision::kKeep;
        if (has_runs(key->object.kind)) return filter_run(*key, key_view, {value.data(), value.size()}, new_value);
        return sieve_->needed(key->lsn, /*is_base=*/true) ? Decision::kKeep : Decision::kRemove;
    }

private:
    struct Base {
        std::size_t bytes;
        bool is_image;
    };

    // The sieve is that of the key's object; false when nothing of it is to go.
    bool enter(const VersionKey& key) const {
        if (key.object.kind == Kind::position) return false;
        if (!branch_ || *branch_ != key.branch) {
            branch_ = key.branch;
            const auto found = view_->find(key.branch);
            history_ = found != view_->end() && found->second.kept != nullptr ? &found->second : nullptr;
            object_.reset();
        }
        if (history_ == nullptr) return false;
        if (!object_ || *object_ != key.object) {
            object_ = key.object;
            sieve_.emplace(*history_->kept);
            hidden_from_.reset();
            base_.reset();
            unsure_ = false;
            told_ = false;
        }
        return !unsure_;
    }

    Decision filter_run(const VersionKey& key, std::string_view key_bytes, std::string_view value, std::string* new_value) const {
        if (!run_.parse(key_bytes, value)) {
            // Damage is for readers to report. What lies below may still be reached through what this was.
            unsure_ = true;
            return Decision::kKeep;
        }
        const ForkReach* reach = history_->reach.get();
        std::size_t left = run_.size();
        // Versions hidden by a run with a newer key are nobody's, and the newer run may have been made of them.
        while (left > 0 && hidden_from_ && run_[left - 1].lsn >= *hidden_from_) --left;
        hidden_from_ = key.lsn;
        // A base only ever begins a run, so what is needed of one is its beginning.
        bool needed = false;
        bool in_reach = true;
        std::size_t kept = left;
        for (std::size_t i = left; i-- > 0;) {
            const RunVersion& version = run_[i];
            const bool is_base = i == 0 && is_base_version(version.value);
            needed = sieve_->needed(version.lsn, is_base, version.value.size()) || needed;
            if (!base_ && sieve_->reducible_base()) base_ = Base{version.value.size(), is_image_version(version.value)};
            in_reach = in_reach && (reach == nullptr || !reach->out_of_reach(key.object, version.lsn));
            // Nothing goes from under a version that stays.
            if ((!needed || !in_reach) && kept == i + 1) kept = i;
        }
        if (in_reach) note_image_candidate(key);
        if (kept == 0) return Decision::kRemove;
        if (kept == run_.size()) return Decision::kKeep;
        for (std::size_t i = 0; i < kept; ++i) writer_.add(run_[i].lsn, run_[i].value);
        writer_.encode(key_bytes, *new_value);
        return Decision::kChangeValue;
    }

    // Whether less would be stored if the newest version at or below the cutoff were an image.
    bool is_worth_an_image() const {
        const std::size_t bytes = sieve_->reducible_bytes();
        if (bytes >= kMoreThanImageBytes || sieve_->reducible_versions() >= kMoreThanImageVersions) return true;
        if (!base_) return false;
        if (base_->is_image) return true;
        return (bytes - base_->bytes) * kHeaderBytesPerChangeByte >= pg::kPageBytes - std::min(base_->bytes, pg::kPageBytes);
    }

    void note_image_candidate(const VersionKey& key) const {
        // Only for whoever collects just now: what nobody takes would fill the set for ever.
        if (told_ || history_->reach == nullptr || !is_worth_an_image()) return;
        image_candidates_.add(key.branch, key.object);
        told_ = true;
    }

    const std::shared_ptr<const HistoryView> view_;
    ImageCandidates& image_candidates_;
    // RocksDB uses a filter from one thread; its interface is const all the same.
    mutable std::optional<BranchNumber> branch_;
    mutable const BranchHistory* history_ = nullptr;
    mutable std::optional<ObjectKey> object_;
    mutable std::optional<VersionSieve> sieve_;
    mutable std::optional<Base> base_;  // that an image at the cutoff would let go
    mutable std::optional<Lsn> hidden_from_;
    mutable bool unsure_ = false;
    mutable bool told_ = false;
    mutable PageRun run_;
    mutable PageRunWriter writer_;
};

}  // namespace

std::unique_ptr<rocksdb::CompactionFilter> HistoryFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
    return std::make_unique<HistoryFilter>(histories_.view(), image_candidates_);
}

}  // namespace bough::pageserver
