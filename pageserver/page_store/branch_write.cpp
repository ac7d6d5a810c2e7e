#include <utility>

#include "bough/check.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/store_layers.hpp"

namespace bough::pageserver {

BranchWrite::BranchWrite(StoreLayers& store, BranchVersions& branch) : store_(&store), branch_(&branch), lock_(branch.writing()) {
    store.note_write();
}

BranchWrite::BranchWrite(BranchWrite&& other) noexcept
    : store_(other.store_), branch_(std::exchange(other.branch_, nullptr)), lock_(std::move(other.lock_)) {}

BranchWrite::~BranchWrite() = default;

std::uint32_t BranchWrite::put(const ObjectKey& object, Lsn lsn, std::string_view value, bool is_base) {
    BOUGH_CHECK(object.kind != Kind::position && object.kind != Kind::touched);
    bool first = false;
    const std::uint32_t changes = branch_->open_layer().put(object, lsn, value, is_base, first);
    // Before anybody is told that there is something to find.
    if (first) branch_->touched.add(hash_object(object));
    return changes;
}

void BranchWrite::set_position(LogPosition position) {
    // Of what is below a position that was written the WAL may be dropped at any time.
    BOUGH_CHECK(!branch_->written || position.lsn >= branch_->written->lsn);
    branch_->written = position;
    branch_->open_layer().set_position(position);
    if (store_->is_full(branch_->open_layer())) store_->layer_is_full(*branch_);
}

}  // namespace bough::pageserver
