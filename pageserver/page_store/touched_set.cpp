#include "pageserver/page_store/touched_set.hpp"

#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kSlotsMin = 16;
constexpr std::uint8_t kEverything = 1;
constexpr std::uint8_t kListed = 0;

}  // namespace

std::uint32_t TouchedSet::fingerprint(std::uint64_t hash) {
    const auto bits = static_cast<std::uint32_t>(hash >> 32);
    return bits != 0 ? bits : 1;
}

bool TouchedSet::may_contain(std::uint64_t hash) const {
    if (everything_.load(std::memory_order_acquire)) return true;
    const Table* table = table_.load(std::memory_order_acquire);
    if (table == nullptr) return false;
    const std::uint32_t wanted = fingerprint(hash);
    const std::size_t mask = table->size() - 1;
    for (std::size_t slot = wanted & mask;; slot = (slot + 1) & mask) {
        const std::uint32_t there = (*table)[slot].load(std::memory_order_relaxed);
        if (there == wanted) return true;
        if (there == 0) return false;
    }
}

bool TouchedSet::insert(Table& table, std::uint32_t fingerprint) {
    const std::size_t mask = table.size() - 1;
    for (std::size_t slot = fingerprint & mask;; slot = (slot + 1) & mask) {
        const std::uint32_t there = table[slot].load(std::memory_order_relaxed);
        if (there == fingerprint) return false;
        if (there != 0) continue;
        table[slot].store(fingerprint, std::memory_order_relaxed);
        return true;
    }
}

bool TouchedSet::add(std::uint64_t hash) { return !contains_everything() && add_fingerprint(fingerprint(hash)); }

bool TouchedSet::add_fingerprint(std::uint32_t fingerprint) {
    if (size_ == kObjectsMax) {
        add_everything();
        return true;
    }
    if (tables_.empty() || (size_ + 1) * 2 > tables_.back()->size()) {
        auto larger = std::make_unique<Table>(tables_.empty() ? kSlotsMin : tables_.back()->size() * 2);
        if (!tables_.empty())
            for (const auto& there : *tables_.back())
                if (const std::uint32_t value = there.load(std::memory_order_relaxed); value != 0) insert(*larger, value);
        tables_.push_back(std::move(larger));
        table_.store(tables_.back().get(), std::memory_order_release);
    }
    if (!insert(*tables_.back(), fingerprint)) return false;
    ++size_;
    return true;
}

void TouchedSet::add_everything() { everything_.store(true, std::memory_order_release); }

void TouchedSet::add_all(const TouchedSet& other) {
    const Table* table = other.table_.load(std::memory_order_acquire);
    if (other.contains_everything()) add_everything();
    if (contains_everything() || table == nullptr) return;
    for (const auto& there : *table)
        if (const std::uint32_t value = there.load(std::memory_order_relaxed); value != 0) add_fingerprint(value);
}

void TouchedSet::trim() {
    if (contains_everything()) {
        table_.store(nullptr, std::memory_order_relaxed);
        tables_.clear();
    } else if (tables_.size() > 1) {
        tables_.erase(tables_.begin(), tables_.end() - 1);
    }
}

std::string TouchedSet::encode() const {
    std::string content;
    if (contains_everything()) {
        append_le(content, kEverything);
        return content;
    }
    append_le(content, kListed);
    if (tables_.empty()) return content;
    for (const auto& there : *tables_.back())
        if (const std::uint32_t value = there.load(std::memory_order_relaxed); value != 0) append_le(content, value);
    return content;
}

Result<void> TouchedSet::add_encoded(std::string_view content) {
    const Error damaged{ErrorCode::corrupt, "stored set of touched objects is damaged", {}};
    ValueReader reader(content);
    const auto form = reader.take<std::uint8_t>();
    if (reader.failed() || form > kEverything) return damaged;
    if (form == kEverything) {
        if (!reader.done()) return damaged;
        add_everything();
        return {};
    }
    while (!reader.done()) {
        const auto fingerprint = reader.take<std::uint32_t>();
        if (reader.failed() || fingerprint == 0) return damaged;
        if (!contains_everything()) add_fingerprint(fingerprint);
    }
    return {};
}

}  // namespace bough::pageserver
