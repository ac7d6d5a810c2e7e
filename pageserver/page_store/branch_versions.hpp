// One branch's part of a store in memory: its open layer, the frozen ones that are yet to be sealed, and who may write.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pageserver/page_store/open_layer.hpp"
#include "pageserver/page_store/touched_set.hpp"

namespace bough::pageserver {

// The layers of a branch at one moment.
struct Layers {
    std::shared_ptr<OpenLayer> open;                       // null: none
    std::vector<std::shared_ptr<const OpenLayer>> frozen;  // newest first
};

// Thread-safe. Readers take the layers with snapshot(): a lock of this branch's own that is held for as long as it takes to copy a
// pointer, never while anything is written. They keep what they hold alive.
class BranchVersions {
public:
    BranchVersions(BranchNumber number, OpenBytes& open_bytes) : number_(number), open_bytes_(open_bytes) {}

    BranchNumber number() const { return number_; }
    // Null when there are no layers.
    std::shared_ptr<const Layers> snapshot() const;

    // Held by whoever writes, for one set of records' versions: between two holders the layer is whole.
    std::mutex& writing() { return writing_; }

    // --- under writing()

    OpenLayer& open_layer();  // made if there is none
    const OpenLayer* open_layer_if_any() const { return open_.get(); }
    // In the open layer, which holds a version of the page at `lsn`: puts the image in its place.
    void replace(const ObjectKey& page, Lsn lsn, std::string_view image);
    // From here on the open layer does not change. Nothing happens if there is none.
    void freeze();
    // The last position written since the store was opened, in whatever layer.
    std::optional<LogPosition> written;
    // Its versions are gone or going: nothing is kept of what was written, and nothing may be written any more.
    void drop_all();

    // What the branch ever had versions of, in files or layers. Only the one who writes adds to it.
    TouchedSet touched;
    // The set's row in the files says at least this much of it.
    std::size_t touched_stored = 0;
    static std::size_t touched_size(const TouchedSet& set) { return set.contains_everything() ? ~std::size_t{0} : set.size(); }
    // Whether `touched` and `sealed_through` say what the files say (StoreLayers::branch()).
    std::atomic<bool> loaded = false;

    // --- by anybody

    bool dropped() const { return dropped_.load(std::memory_order_acquire); }

    // The sealed layers go: their versions are in the store's files now.
    void forget(const std::vector<std::shared_ptr<const OpenLayer>>& sealed);

    // The branch's position in the files.
    std::atomic<std::uint64_t> durable_lsn = 0;
    // All versions above this LSN are in layers, as far as anybody may read. Raised before layers are forgotten.
    std::atomic<std::uint64_t> sealed_through = 0;

private:
    void publish(std::shared_ptr<const Layers> layers);

    const BranchNumber number_;
    OpenBytes& open_bytes_;
    std::mutex writing_;
    std::shared_ptr<OpenLayer> open_;       // under writing_
    std::atomic<bool> dropped_ = false;     // set under writing_
    mutable std::mutex mutex_;              // taken after writing_
    std::shared_ptr<const Layers> layers_;  // under mutex_
};

}  // namespace bough::pageserver
