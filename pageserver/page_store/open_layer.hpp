// A branch's newest versions, in memory: an arena, and a hash from objects to their versions, newest first.
//
// One writer at a time, whom the branch's lock singles out (branch_versions.hpp); any number of readers, who take no lock and wait
// for nobody. What is published is never changed or freed while the layer lives: a reader may see a version or not yet, never a
// part of one. Who needs to see certain versions learns of their LSN in a way that orders the two (Branch::ingest_lsn()).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bough/lsn.hpp"
#include "pageserver/page_store/open_bytes.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

class OpenLayer {
public:
    class Version {
    public:
        Lsn lsn() const { return lsn_; }
        std::string_view value() const { return {reinterpret_cast<const char*>(this + 1), bytes_}; }
        const Version* older() const { return older_.load(std::memory_order_acquire); }

    private:
        friend class OpenLayer;
        Lsn lsn_;
        std::atomic<Version*> older_;
        std::uint32_t bytes_;
        // The value follows.
    };

    class Object {
    public:
        const ObjectKey& key() const { return key_; }
        // Versions of falling LSN. Of several with the same LSN only the first counts: it took the others' place.
        const Version* newest() const { return newest_.load(std::memory_order_acquire); }
        // The newest at or below `lsn`; nullptr: none.
        const Version* newest_at(Lsn lsn) const {
            const Version* version = newest();
            while (version != nullptr && version->lsn() > lsn) version = version->older();
            return version;
        }
        // The next of the layer's list of all objects, or of those that are not pages.
        const Object* next() const { return next_; }
        const Object* next_row() const { return next_row_; }

    private:
        friend class OpenLayer;
        ObjectKey key_;
        std::uint32_t changes_ = 0;  // the writer's: since the last version that needs nothing older
        std::uint64_t hash_ = 0;
        Lsn newest_lsn_;  // the writer's: so that it need not look at the newest version, which is seldom in the cache
        std::atomic<Version*> newest_ = nullptr;
        Object* next_ = nullptr;
        Object* next_row_ = nullptr;
    };

    // Its memory is counted in `open_bytes`, which outlives it.
    explicit OpenLayer(OpenBytes& open_bytes) : open_bytes_(open_bytes) {}
    ~OpenLayer();
    OpenLayer(const OpenLayer&) = delete;
    OpenLayer& operator=(const OpenLayer&) = delete;

    // --- for the writer

    // Puts the version in its place by LSN, in front of one with the same LSN. Returns how many changes there now are to the object
    // that build on one another, 0 when the value is a base (it needs nothing older). `hash`: the key's hash_object().
    std::uint32_t put(const ObjectKey& key, std::uint64_t hash, Lsn lsn, std::string_view value, bool is_base, bool& is_first_of_object);
    // For the processor's cache, ahead of put(): where the table leads to for the hash, and once that is there what it leads to.
    void fetch_slot(std::uint64_t hash) const;
    void fetch_object(std::uint64_t hash) const;
    // The log up to there is in this layer or in older ones.
    void set_position(LogPosition position) { position_ = position; }
    const std::optional<LogPosition>& position() const { return position_; }
    Lsn highest_lsn() const { return highest_lsn_; }  // of its versions

    // --- for readers

    const Object* find(const ObjectKey& key) const;
    const Object* objects() const { return objects_.load(std::memory_order_acquire); }
    const Object* rows() const { return rows_.load(std::memory_order_acquire); }
    std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::size_t object_count() const { return object_count_; }  // the writer's, or of a frozen layer

private:
    // Open addressing; grows by publishing a larger copy. Readers of an older table miss only objects that are newer than what
    // they may read.
    struct Table {
        explicit Table(std::size_t slot_count) : slots(slot_count) {}
        std::vector<std::atomic<Object*>> slots;
    };

    void* allocate(std::size_t bytes);
    void count(std::size_t bytes);
    Object* find_slot(const Table& table, const ObjectKey& key, std::uint64_t hash, std::size_t& slot) const;
    Object& find_or_add(const ObjectKey& key, std::uint64_t hash, bool& added);
    Table& grown_table();

    OpenBytes& open_bytes_;
    std::atomic<std::size_t> bytes_ = 0;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::byte* free_ = nullptr;
    std::size_t free_bytes_ = 0;
    std::size_t next_chunk_bytes_ = 2 << 10;

    std::vector<std::unique_ptr<Table>> tables_;
    std::atomic<const Table*> table_ = nullptr;
    std::size_t object_count_ = 0;
    std::atomic<Object*> objects_ = nullptr;
    std::atomic<Object*> rows_ = nullptr;
    std::optional<LogPosition> position_;
    Lsn highest_lsn_;
};

}  // namespace bough::pageserver
