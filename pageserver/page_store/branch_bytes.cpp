#include "pageserver/page_store/branch_bytes.hpp"

#include <charconv>
#include <filesystem>
#include <set>

#include "pageserver/page_store/little_endian.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {
namespace {

constexpr const char* kProperty = "bough.branch-bytes";  // docs/formats/page_store.md
constexpr std::size_t kBranchBytes = 4;

class Collector final : public rocksdb::TablePropertiesCollector {
public:
    const char* Name() const override { return "bough.branch-bytes"; }
    rocksdb::Status AddUserKey(const rocksdb::Slice& key, const rocksdb::Slice& value, rocksdb::EntryType,
                               rocksdb::SequenceNumber, std::uint64_t) override {
        if (key.size() < kBranchBytes) return rocksdb::Status::OK();
        std::uint32_t number = 0;
        for (std::size_t i = 0; i < kBranchBytes; ++i) number = number << 8 | static_cast<std::uint8_t>(key[i]);
        if (parts_.empty() || parts_.back().first != number) parts_.emplace_back(number, 0);
        parts_.back().second += key.size() + value.size();
        return rocksdb::Status::OK();
    }
    rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
        std::string bytes;
        for (const auto& [number, size] : parts_) {
            append_le(bytes, number);
            append_le(bytes, size);
        }
        properties->insert({kProperty, std::move(bytes)});
        return rocksdb::Status::OK();
    }
    rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }

private:
    std::vector<std::pair<std::uint32_t, std::uint64_t>> parts_;
};

class CollectorFactory final : public rocksdb::TablePropertiesCollectorFactory {
public:
    const char* Name() const override { return "bough.branch-bytes"; }
    rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override { return new Collector(); }
};

// The file's bytes divided in proportion; the last part gets what rounding leaves.
std::vector<std::pair<BranchNumber, std::uint64_t>> divide(std::string_view property, std::uint64_t file_bytes) {
    std::vector<std::pair<BranchNumber, std::uint64_t>> parts;
    std::uint64_t total = 0;
    ValueReader reader(property);
    while (!reader.done() && !reader.failed()) {
        const BranchNumber number{reader.take<std::uint32_t>()};
        const auto bytes = reader.take<std::uint64_t>();
        if (reader.failed()) break;
        parts.emplace_back(number, bytes);
        total += bytes;
    }
    std::uint64_t left = file_bytes;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size();
        const double share = total != 0 ? static_cast<double>(parts[i].second) / static_cast<double>(total) : 0;
        const auto bytes = last ? left : std::min(left, static_cast<std::uint64_t>(share * static_cast<double>(file_bytes)));
        parts[i].second = bytes;
        left -= bytes;
    }
    return parts;
}

// "/somewhere/000123.sst": 123
std::uint64_t file_number(const std::string& path) {
    const std::string stem = std::filesystem::path(path).stem().string();
    std::uint64_t number = 0;
    std::from_chars(stem.data(), stem.data() + stem.size(), number);
    return number;
}

}  // namespace

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> branch_bytes_collector() {
    return std::make_shared<CollectorFactory>();
}

Result<void> BranchBytes::refresh() {
    rocksdb::ColumnFamilyMetaData live;
    db_.GetColumnFamilyMetaData(&family_, &live);
    std::map<std::uint64_t, std::uint64_t> sizes;
    for (const auto& level : live.levels)
        for (const auto& file : level.files) sizes.emplace(file_number(file.name), file.size);
    const auto count = [&](const Parts& parts, bool add) {
        for (const auto& [branch, bytes] : parts) {
            std::uint64_t& total = totals_[branch];
            total = add ? total + bytes : total - bytes;
            if (total == 0) totals_.erase(branch);
        }
    };
    for (auto known = files_.begin(); known != files_.end();) {
        if (sizes.contains(known->first)) {
            ++known;
            continue;
        }
        count(known->second, false);
        known = files_.erase(known);
    }
    if (files_.size() == sizes.size()) return {};
    rocksdb::TablePropertiesCollection tables;
    const auto status = db_.GetPropertiesOfAllTables(&family_, &tables);
    if (!status.ok()) return error_of_status(status, "could not read the properties of the page store's files");
    for (const auto& [path, properties] : tables) {
        const std::uint64_t number = file_number(path);
        const auto size = sizes.find(number);
        if (files_.contains(number) || size == sizes.end()) continue;
        const auto& user = properties->user_collected_properties;
        const auto property = user.find(kProperty);
        Parts parts = divide(property != user.end() ? property->second : std::string_view{}, size->second);
        count(parts, true);
        files_.emplace(number, std::move(parts));
    }
    return {};
}

Result<std::uint64_t> BranchBytes::of(BranchNumber branch) {
    const std::lock_guard lock(mutex_);
    BOUGH_TRY(refresh());
    const auto found = totals_.find(branch);
    return found != totals_.end() ? found->second : 0;
}

Result<std::map<BranchNumber, std::uint64_t>> BranchBytes::all() {
    const std::lock_guard lock(mutex_);
    BOUGH_TRY(refresh());
    return totals_;
}

}  // namespace bough::pageserver
