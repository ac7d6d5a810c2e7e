// Which objects a branch ever had versions of, roughly: so that a read passes over branches that have nothing to say.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
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
    bool may_contain(std::uint64_t hash) const {
        const std::uintptr_t there = table_.load(std::memory_order_acquire);
        return there != kNothing && (there == kEverything || find(there, fingerprint(hash)));
    }
    bool contains_everything() const { return table_.load(std::memory_order_acquire) == kEverything; }
    // Of all objects that it holds by now; somebody may be adding to it. nullopt: of everything.
    std::optional<std::vector<std::uint32_t>> fingerprints() const;
    // What is kept of an object; never 0.
    static std::uint32_t fingerprint(std::uint64_t hash) {
        const auto bits = static_cast<std::uint32_t>(hash >> 32);
        return bits != 0 ? bits : 1;
    }

    // --- for the writer
    // False when it was there already.
    bool add(std::uint64_t hash);
    void add_everything();
    std::size_t size() const { return size_; }

    // As stored in the branch's row, docs/formats/page_store.md.
    std::string encode() const;
    // Adds what a stored row says; any bytes may be given.
    Result<void> add_encoded(std::string_view content);

private:
    // Open addressing, 0 is free. Doubled by publishing a larger copy.
    static constexpr std::size_t kLineSlots = 16;
    struct alignas(64) Line {
        std::array<std::atomic<std::uint32_t>, kLineSlots> slots{};
    };
    using Table = std::vector<Line>;
    // A walk through many branches asks many sets, all of them far from the processor: so one word says where the
    // table is and how large: the address of its first line, and in the bits that are free there how many times their number doubled.
    static constexpr std::uintptr_t kNothing = 0, kEverything = ~std::uintptr_t{0};
    static std::uintptr_t published(const Table& table);
    static std::span<const Line> lines_of(std::uintptr_t table) {
        return {reinterpret_cast<const Line*>(table & ~(alignof(Line) - 1)), std::size_t{1} << (table & (alignof(Line) - 1))};
    }
    static bool find(std::uintptr_t table, std::uint32_t fingerprint);
    static bool insert(Table& table, std::uint32_t fingerprint);
    bool add_fingerprint(std::uint32_t fingerprint);

    std::atomic<std::uintptr_t> table_ = kNothing;
    std::vector<Table> tables_;  // the last one is in use, the others may be by readers
    std::size_t size_ = 0;
};

}  // namespace bough::pageserver
