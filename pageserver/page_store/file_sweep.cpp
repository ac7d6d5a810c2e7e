#include "pageserver/page_store/file_sweep.hpp"

#include <algorithm>
#include <limits>

#include "pageserver/page_store/store_layers.hpp"

namespace bough::pageserver {
namespace {

// Neighbours in turn before they are taken for a sweep: whoever reads two pages pays for no second iterator.
constexpr unsigned kNeighboursMin = 2;
// How far apart neighbours are: those between may have their versions in memory or with another branch.
constexpr std::uint32_t kBlocksApartMax = 8;
// Versions passed over on the way, beyond which a seek is cheaper.
constexpr unsigned kStepsMax = 16;

bool in_same_fork(const ObjectKey& a, const ObjectKey& b) {
    return a.kind == b.kind && a.object == b.object && a.database == b.database && a.tablespace == b.tablespace && a.fork == b.fork;
}

rocksdb::Slice slice(const VersionKeyBytes& key) { return {key.data(), key.size()}; }

}  // namespace

bool FileSweep::is_in_fork_of(BranchNumber branch, const ObjectKey& object) const {
    return branch == branch_ && in_same_fork(object, last_);
}

bool FileSweep::follows(BranchNumber branch, const ObjectKey& object) {
    const bool same = is_in_fork_of(branch, object);
    if (!same) iterator_.reset();  // its bound is another fork's
    if (same && object.block > last_.block && object.block - last_.block <= kBlocksApartMax)
        neighbours_++;
    else
        neighbours_ = expected_ ? kNeighboursMin : 0;
    expected_ = false;
    branch_ = branch;
    last_ = object;
    return neighbours_ >= kNeighboursMin;
}

rocksdb::Iterator* FileSweep::go_to(const StoreLayers& store, bool fills_block_cache, const VersionKeyBytes& target) {
    bool seeks = neighbours_ == kNeighboursMin;
    if (iterator_ == nullptr) {
        ObjectKey beyond = last_;
        beyond.block = std::numeric_limits<std::uint32_t>::max();
        end_ = encode_version_key(branch_, beyond, Lsn{0});
        bound_ = slice(end_);
        rocksdb::ReadOptions options = iterator_options();
        options.total_order_seek = true;
        options.iterate_upper_bound = &bound_;
        options.fill_cache = fills_block_cache;
        iterator_.reset(store.db().NewIterator(options, &store.family()));
        seeks = true;
    }
    for (unsigned steps = 0; !seeks && iterator_->Valid() && iterator_->key().compare(slice(target)) < 0; iterator_->Next())
        seeks = ++steps > kStepsMax;
    if (seeks) iterator_->Seek(slice(target));
    if (iterator_->Valid() || iterator_->status().ok()) return iterator_.get();
    forget();
    return nullptr;
}

void FileSweep::forget() {
    iterator_.reset();
    neighbours_ = 0;
}

void FileSweeps::expect(bool expected) {
    for (Used& one : sweeps_) one.sweep.expect(expected);
}

FileSweep* FileSweeps::following(BranchNumber branch, const ObjectKey& object) {
    if (!has_runs(object.kind)) return nullptr;
    auto found = std::ranges::find_if(sweeps_, [&](const Used& one) { return one.sweep.is_in_fork_of(branch, object); });
    if (found == sweeps_.end()) found = std::ranges::min_element(sweeps_, {}, &Used::last);
    found->last = ++clock_;
    return found->sweep.follows(branch, object) ? &found->sweep : nullptr;
}

void FileSweeps::forget() {
    for (Used& one : sweeps_) one.sweep.forget();
}

}  // namespace bough::pageserver
