#include "pageserver/page_store/branch_bytes.hpp"

#include <array>
#include <charconv>
#include <filesystem>
#include <set>

#include "pageserver/page_store/little_endian.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {
namespace {

constexpr const char* kBranchesProperty = "bough.branch-bytes";  // docs/formats/page_store.md
constexpr const char* kKindsProperty = "bough.kind-bytes";
constexpr std::size_t kBranchBytes = 4;

class Collector final : public rocksdb::TablePropertiesCollector {
public:
    const char* Name() const override { return "bough.branch-bytes"; }
    rocksdb::Status AddUserKey(const rocksdb::Slice& key, const rocksdb::Slice& value, rocksdb::EntryType,
                               rocksdb::SequenceNumber, std::uint64_t) override {
        if (key.size() <= kBranchBytes) return rocksdb::Status::OK();
        std::uint32_t number = 0;
        for (std::size_t i = 0; i < kBranchBytes; ++i) number = number << 8 | static_cast<std::uint8_t>(key[i]);
        if (parts_.empty() || parts_.back().first != number) parts_.emplace_back(number, 0);
        parts_.back().second += key.size() + value.size();
        kinds_[static_cast<std::uint8_t>(key[kBranchBytes])] += key.size() + value.size();
        return rocksdb::Status::OK();
    }
    rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
        std::string bytes;
        for (const auto& [number, size] : parts_) {
            append_le(bytes, number);
            append_le(bytes, size);
        }
        properties->insert({kBranchesProperty, std::move(bytes)});
        std::string kinds;
        for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
            if (kinds_[kind] == 0) continue;
            append_le(kinds, static_cast<std::uint8_t>(kind));
            append_le(kinds, kinds_[kind]);
        }
        properties->insert({kKindsProperty, std::move(kinds)});
        return rocksdb::Status::OK();
    }
    rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }

private:
    std::vector<std::pair<std::uint32_t, std::uint64_t>> parts_;
    std::array<std::uint64_t, 256> kinds_{};
};

class CollectorFactory final : public rocksdb::TablePropertiesCollectorFactory {
public:
    const char* Name() const override { return "bough.branch-bytes"; }
    rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override { return new Collector(); }
};

// The file's bytes divided in proportion; the last part gets what rounding leaves. `Stored`: how the property has a Whose.
template <class Whose, class Stored>
std::vector<std::pair<Whose, std::uint64_t>> divide(const rocksdb::UserCollectedProperties& properties, const char* name,
                                                    std::uint64_t file_bytes) {
    const auto found = properties.find(name);
    const std::string_view property = found != properties.end() ? std::string_view(found->second) : std::string_view{};
    std::vector<std::pair<Whose, std::uint64_t>> parts;
    std::uint64_t total = 0;
    ValueReader reader(property);
    while (!reader.done() && !reader.failed()) {
        const Whose whose{reader.take<Stored>()};
        const auto bytes = reader.take<std::uint64_t>();
        if (reader.failed()) break;
        parts.emplace_back(whose, bytes);
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

void BranchBytes::count(const File& file, std::int64_t sign) {
    const auto count_in = [sign](auto& totals, const auto& parts) {
        for (const auto& [whose, bytes] : parts) {
            std::uint64_t& total = totals[whose];
            total += static_cast<std::uint64_t>(sign) * bytes;
            if (total == 0) totals.erase(whose);
        }
    };
    count_in(totals_, file.branches);
    count_in(kinds_, file.kinds);
}

Result<void> BranchBytes::refresh() {
    rocksdb::ColumnFamilyMetaData live;
    db_.GetColumnFamilyMetaData(&family_, &live);
    std::map<std::uint64_t, std::uint64_t> sizes;
    for (const auto& level : live.levels)
        for (const auto& file : level.files) sizes.emplace(file_number(file.name), file.size);
    for (auto known = files_.begin(); known != files_.end();) {
        if (sizes.contains(known->first)) {
            ++known;
            continue;
        }
        count(known->second, -1);
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
        File file{divide<BranchNumber, std::uint32_t>(user, kBranchesProperty, size->second),
                  divide<Kind, std::uint8_t>(user, kKindsProperty, size->second)};
        count(file, 1);
        files_.emplace(number, std::move(file));
    }
    return {};
}

Result<std::uint64_t> BranchBytes::of(BranchNumber branch) {
    const std::lock_guard lock(mutex_);
    BOUGH_TRY(refresh());
    const auto found = totals_.find(branch);
    return found != totals_.end() ? found->second : 0;
}

Result<std::map<BranchNumber, std::uint64_t>> BranchBytes::by_branch() {
    const std::lock_guard lock(mutex_);
    BOUGH_TRY(refresh());
    return totals_;
}

Result<std::map<Kind, std::uint64_t>> BranchBytes::by_kind() {
    const std::lock_guard lock(mutex_);
    BOUGH_TRY(refresh());
    return kinds_;
}

}  // namespace bough::pageserver
