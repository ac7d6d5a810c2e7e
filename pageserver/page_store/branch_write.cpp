#include <utility>

#include "bough/check.hpp"
#include "pageserver/page_store/store_layers.hpp"

namespace bough::pageserver {

BranchWrite::BranchWrite(StoreLayers& store, BranchVersions& branch) : store_(&store), branch_(&branch), lock_(branch.writing()) {
    store.note_write();
}

BranchWrite::BranchWrite(BranchWrite&& other) noexcept
    : store_(other.store_),
      branch_(std::exchange(other.branch_, nullptr)),
      lock_(std::move(other.lock_)),
      layer_(std::exchange(other.layer_, nullptr)) {}

BranchWrite::~BranchWrite() = default;

OpenLayer& BranchWrite::layer() {
    if (layer_ == nullptr) layer_ = &branch_->open_layer();
    return *layer_;
}

std::uint32_t BranchWrite::put(const ObjectKey& object, std::uint64_t hash, Lsn lsn, std::string_view value, bool is_base) {
    BOUGH_CHECK(object.kind != Kind::position && object.kind != Kind::touched);
    bool first = false;
    const std::uint32_t changes = layer().put(object, hash, lsn, value, is_base, first);
    // Before anybody is told that there is something to find.
    if (first) branch_->touched.add(hash);
    return changes;
}

void BranchWrite::fetch_slot(std::uint64_t hash) { layer().fetch_slot(hash); }

void BranchWrite::fetch_object(std::uint64_t hash) { layer().fetch_object(hash); }

void BranchWrite::set_position(LogPosition position) {
    // Of what is below a position that was written the WAL may be dropped at any time.
    BOUGH_CHECK(!branch_->written || position.lsn >= branch_->written->lsn);
    branch_->written = position;
    layer().set_position(position);
    if (!store_->is_full(layer())) return;
    store_->layer_is_full(*branch_);
    layer_ = nullptr;
}

}  // namespace bough::pageserver
