// Which objects a branch ever had versions of, roughly: so that a read passes over branches that have nothing to say.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"

namespace bough::pageserver {

// A set of 32 bits of each object's hash. Only ever grows; says "maybe" for an object that was not added once in a great while, and
// for all of them when it has become so large that it would not pay. One writer at a time; readers take no lock.
class TouchedSet {
public:
    static constexpr std::size_t kObjectsMax = 16'384;

    // `hash`: hash_object().
    bool may_contain(std::uint64_t hash) const;
    bool contains_everything() const { return everything_.load(std::memory_order_acquire); }

    // --- for the writer
    // False when it was there already.
    bool add(std::uint64_t hash);
    void add_everything();
    // What the other holds by now; somebody may be adding to it.
    void add_all(const TouchedSet& other);
    std::size_t size() const { return size_; }
    // While nobody reads it yet: gives back memory that only those who had read it before would need.
    void trim();

    // As stored in the branch's row, docs/formats/page_store.md.
    std::string encode() const;
    // Adds what a stored row says; any bytes may be given.
    Result<void> add_encoded(std::string_view content);

private:
    // Open addressing, 0 is free. Doubled by publishing a larger copy.
    using Table = std::vector<std::atomic<std::uint32_t>>;
    static std::uint32_t fingerprint(std::uint64_t hash);
    static bool insert(Table& table, std::uint32_t fingerprint);
    bool add_fingerprint(std::uint32_t fingerprint);

    std::vector<std::unique_ptr<Table>> tables_;
    std::atomic<const Table*> table_ = nullptr;
    std::atomic<bool> everything_ = false;
    std::size_t size_ = 0;
};

}  // namespace bough::pageserver
