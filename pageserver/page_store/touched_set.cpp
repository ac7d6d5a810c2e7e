#include "pageserver/page_store/touched_set.hpp"

#include <bit>

#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

// As stored.
constexpr std::uint8_t kAll = 1;
constexpr std::uint8_t kListed = 0;

// Each fingerprint in the lines of a table.
template <class Lines, class Call>
void for_each(const Lines& lines, const Call& call) {
    for (const auto& line : lines)
        for (const auto& slot : line.slots)
            if (const std::uint32_t value = slot.load(std::memory_order_relaxed); value != 0) call(value);
}

}  // namespace

std::uintptr_t TouchedSet::published(const Table& table) {
    return reinterpret_cast<std::uintptr_t>(table.data()) | static_cast<std::uintptr_t>(std::countr_zero(table.size()));
}

bool TouchedSet::find(std::uintptr_t table, std::uint32_t fingerprint) {
    const std::span<const Line> lines = lines_of(table);
    const std::size_t mask = lines.size() * kLineSlots - 1;
    for (std::size_t slot = fingerprint & mask;; slot = (slot + 1) & mask) {
        const std::uint32_t there = lines[slot / kLineSlots].slots[slot % kLineSlots].load(std::memory_order_relaxed);
        if (there == fingerprint) return true;
        if (there == 0) return false;
    }
}

bool TouchedSet::insert(Table& table, std::uint32_t fingerprint) {
    const std::size_t mask = table.size() * kLineSlots - 1;
    for (std::size_t slot = fingerprint & mask;; slot = (slot + 1) & mask) {
        std::atomic<std::uint32_t>& there = table[slot / kLineSlots].slots[slot % kLineSlots];
        const std::uint32_t value = there.load(std::memory_order_relaxed);
        if (value == fingerprint) return false;
        if (value != 0) continue;
        there.store(fingerprint, std::memory_order_relaxed);
        return true;
    }
}

bool TouchedSet::add(std::uint64_t hash) { return add_fingerprint(fingerprint(hash)); }

bool TouchedSet::add_fingerprint(std::uint32_t fingerprint) {
    if (contains_everything()) return false;
    if (size_ == kObjectsMax) {
        add_everything();
        return true;
    }
    if (tables_.empty() || (size_ + 1) * 2 > tables_.back().size() * kLineSlots) {
        Table larger(tables_.empty() ? 1 : tables_.back().size() * 2);
        if (!tables_.empty()) for_each(tables_.back(), [&](std::uint32_t value) { insert(larger, value); });
        tables_.push_back(std::move(larger));
        table_.store(published(tables_.back()), std::memory_order_release);
    }
    if (!insert(tables_.back(), fingerprint)) return false;
    ++size_;
    return true;
}

void TouchedSet::add_everything() { table_.store(kEverything, std::memory_order_release); }

std::optional<std::vector<std::uint32_t>> TouchedSet::fingerprints() const {
    const std::uintptr_t table = table_.load(std::memory_order_acquire);
    if (table == kEverything) return std::nullopt;
    std::vector<std::uint32_t> all;
    if (table != kNothing) for_each(lines_of(table), [&](std::uint32_t value) { all.push_back(value); });
    return all;
}

std::string TouchedSet::encode() const {
    std::string content;
    if (contains_everything()) {
        append_le(content, kAll);
        return content;
    }
    append_le(content, kListed);
    if (!tables_.empty()) for_each(tables_.back(), [&](std::uint32_t value) { append_le(content, value); });
    return content;
}

Result<void> TouchedSet::add_encoded(std::string_view content) {
    const Error damaged{ErrorCode::corrupt, "stored set of touched objects is damaged", {}};
    ValueReader reader(content);
    const auto form = reader.take<std::uint8_t>();
    if (reader.failed() || form > kAll) return damaged;
    if (form == kAll) {
        if (!reader.done()) return damaged;
        add_everything();
        return {};
    }
    while (!reader.done()) {
        const auto fingerprint = reader.take<std::uint32_t>();
        if (reader.failed() || fingerprint == 0) return damaged;
        add_fingerprint(fingerprint);
    }
    return {};
}

}  // namespace bough::pageserver
