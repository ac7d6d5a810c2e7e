#include "pageserver/page_store/history_filter.hpp"

#include <optional>

#include "pageserver/history/version_sieve.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {
namespace {

// From here on an image costs less than the changes it replaces: it has 8 KB, and compresses better than they do.
constexpr std::size_t kLongChainBytes = 12 << 10;
constexpr std::size_t kLongChainVersions = 64;

class HistoryFilter final : public rocksdb::CompactionFilter {
public:
    HistoryFilter(std::shared_ptr<const HistoryView> view, LongChains& long_chains)
        : view_(std::move(view)), long_chains_(long_chains) {}

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
            in_reach = in_reach && (reach == nullptr || !reach->out_of_reach(key.object, version.lsn));
            // Nothing goes from under a version that stays.
            if ((!needed || !in_reach) && kept == i + 1) kept = i;
        }
        if (in_reach) note_long_chain(key);
        if (kept == 0) return Decision::kRemove;
        if (kept == run_.size()) return Decision::kKeep;
        for (std::size_t i = 0; i < kept; ++i) writer_.add(run_[i].lsn, run_[i].value);
        writer_.encode(key_bytes, *new_value);
        return Decision::kChangeValue;
    }

    void note_long_chain(const VersionKey& key) const {
        if (told_ || (sieve_->reducible_bytes() < kLongChainBytes && sieve_->reducible_versions() < kLongChainVersions)) return;
        long_chains_.add(key.branch, key.object);
        told_ = true;
    }

    const std::shared_ptr<const HistoryView> view_;
    LongChains& long_chains_;
    // RocksDB uses a filter from one thread; its interface is const all the same.
    mutable std::optional<BranchNumber> branch_;
    mutable const BranchHistory* history_ = nullptr;
    mutable std::optional<ObjectKey> object_;
    mutable std::optional<VersionSieve> sieve_;
    mutable std::optional<Lsn> hidden_from_;
    mutable bool unsure_ = false;
    mutable bool told_ = false;
    mutable PageRun run_;
    mutable PageRunWriter writer_;
};

}  // namespace

void LongChains::add(BranchNumber branch, const ObjectKey& page) {
    const std::lock_guard lock(mutex_);
    if (pages_.size() < kPagesMax) pages_.emplace(branch, page);
}

std::vector<ObjectKey> LongChains::take(BranchNumber branch) {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectKey> taken;
    const auto begin = pages_.lower_bound({branch, ObjectKey{}});
    auto end = begin;
    for (; end != pages_.end() && end->first == branch; ++end) taken.push_back(end->second);
    pages_.erase(begin, end);
    return taken;
}

std::unique_ptr<rocksdb::CompactionFilter> HistoryFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
    return std::make_unique<HistoryFilter>(histories_.view(), long_chains_);
}

}  // namespace bough::pageserver
