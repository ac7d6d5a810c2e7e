#include "pageserver/page_store/open_layer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "bough/check.hpp"
#include "pageserver/page_store/object_hash.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kAlignment = alignof(std::max_align_t);
constexpr std::size_t kChunkBytesMax = 1 << 20;
constexpr std::size_t kTableSlotsMin = 16;
constexpr std::size_t kTableGrowth = 4;

}  // namespace

OpenLayer::~OpenLayer() { open_bytes_.subtract(bytes()); }

void OpenLayer::count(std::size_t bytes) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    open_bytes_.add(bytes);
}

void* OpenLayer::allocate(std::size_t bytes) {
    bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (bytes > free_bytes_) {
        // A layer that gets little stays small; one that gets much is made of few chunks.
        const std::size_t chunk = std::max(bytes, next_chunk_bytes_);
        next_chunk_bytes_ = std::min(next_chunk_bytes_ * 2, kChunkBytesMax);
        chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk));
        count(chunk);
        free_ = chunks_.back().get();
        free_bytes_ = chunk;
    }
    void* taken = free_;
    free_ += bytes;
    free_bytes_ -= bytes;
    return taken;
}

OpenLayer::Object* OpenLayer::find_slot(const Table& table, const ObjectKey& key, std::uint64_t hash, std::size_t& slot) const {
    const std::size_t mask = table.slots.size() - 1;
    for (slot = hash & mask;; slot = (slot + 1) & mask) {
        Object* object = table.slots[slot].load(std::memory_order_acquire);
        if (object == nullptr || (object->hash_ == hash && object->key_ == key)) return object;
    }
}

OpenLayer::Table& OpenLayer::grown_table() {
    const std::size_t slots = tables_.empty() ? kTableSlotsMin : tables_.back()->slots.size() * kTableGrowth;
    auto table = std::make_unique<Table>(slots);
    for (Object* object = objects_.load(std::memory_order_relaxed); object != nullptr; object = object->next_) {
        std::size_t slot = 0;
        BOUGH_CHECK(find_slot(*table, object->key_, object->hash_, slot) == nullptr);
        table->slots[slot].store(object, std::memory_order_relaxed);
    }
    count(slots * sizeof(std::atomic<Object*>));
    tables_.push_back(std::move(table));
    table_.store(tables_.back().get(), std::memory_order_release);
    return *tables_.back();
}

OpenLayer::Object& OpenLayer::find_or_add(const ObjectKey& key, std::uint64_t hash, bool& added) {
    Table* table = tables_.empty() ? &grown_table() : tables_.back().get();
    std::size_t slot = 0;
    if (Object* there = find_slot(*table, key, hash, slot)) return *there;
    if ((object_count_ + 1) * 4 > table->slots.size() * 3) {
        table = &grown_table();
        find_slot(*table, key, hash, slot);
    }
    auto* object = new (allocate(sizeof(Object))) Object();
    object->key_ = key;
    object->hash_ = hash;
    object->next_ = objects_.load(std::memory_order_relaxed);
    if (!has_runs(key.kind)) {
        object->next_row_ = rows_.load(std::memory_order_relaxed);
        rows_.store(object, std::memory_order_release);
    }
    objects_.store(object, std::memory_order_release);
    table->slots[slot].store(object, std::memory_order_release);
    ++object_count_;
    added = true;
    return *object;
}

void OpenLayer::fetch_slot(std::uint64_t hash) const {
    if (tables_.empty()) return;
    const Table& table = *tables_.back();
    __builtin_prefetch(&table.slots[hash & (table.slots.size() - 1)]);
}

void OpenLayer::fetch_object(std::uint64_t hash) const {
    if (tables_.empty()) return;
    const Table& table = *tables_.back();
    const Object* object = table.slots[hash & (table.slots.size() - 1)].load(std::memory_order_relaxed);
    if (object == nullptr) return;
    __builtin_prefetch(object);
    // It may lie in two lines.
    __builtin_prefetch(reinterpret_cast<const std::byte*>(object) + sizeof(Object) - 1);
}

std::uint32_t OpenLayer::put(const ObjectKey& key, std::uint64_t hash, Lsn lsn, std::string_view value, bool is_base,
                             bool& is_first_of_object) {
    BOUGH_CHECK(value.size() <= std::numeric_limits<std::uint32_t>::max());
    is_first_of_object = false;
    Object& object = find_or_add(key, hash, is_first_of_object);
    auto* version = new (allocate(sizeof(Version) + value.size())) Version();
    version->lsn_ = lsn;
    highest_lsn_ = std::max(highest_lsn_, lsn);
    version->bytes_ = static_cast<std::uint32_t>(value.size());
    std::memcpy(reinterpret_cast<char*>(version + 1), value.data(), value.size());
    std::atomic<Version*>* place = &object.newest_;
    Version* older = place->load(std::memory_order_relaxed);
    if (lsn >= object.newest_lsn_) {
        object.newest_lsn_ = lsn;
    } else {
        while (older != nullptr && older->lsn_ > lsn) {
            place = &older->older_;
            older = place->load(std::memory_order_relaxed);
        }
    }
    version->older_.store(older, std::memory_order_relaxed);
    place->store(version, std::memory_order_release);
    object.changes_ = is_base ? 0 : object.changes_ + 1;
    return object.changes_;
}

const OpenLayer::Object* OpenLayer::find(const ObjectKey& key) const {
    const Table* table = table_.load(std::memory_order_acquire);
    if (table == nullptr) return nullptr;
    std::size_t slot = 0;
    return find_slot(*table, key, hash_object(key), slot);
}

}  // namespace bough::pageserver
