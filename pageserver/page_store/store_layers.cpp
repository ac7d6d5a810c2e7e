#include "pageserver/page_store/store_layers.hpp"

#include <algorithm>
#include <system_error>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Reads look into every file of level 0: when compaction lags this far behind, sealing waits for it for a while, and ingest for both.
constexpr std::uint64_t kLevel0FilesMax = 48;
constexpr auto kCompactionWaitMax = 30s;

}  // namespace

StoreLayers::StoreLayers(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& family, std::filesystem::path directory,
                         StoreResources::Impl& resources)
    : db_(db),
      family_(family),
      directory_(std::move(directory)),
      resources_(resources),
      layer_bytes_(resources.options.layer_bytes),
      id_(++resources.stores_opened),
      branches_(resources.open_bytes) {
    resources_.sealer.add(*this);
}

StoreLayers::~StoreLayers() { resources_.sealer.remove(*this); }

Result<void> StoreLayers::remove_leftovers() {
    std::error_code failed;
    std::filesystem::remove_all(directory_, failed);
    if (!failed) std::filesystem::create_directory(directory_, failed);
    if (failed) return io_error("could not prepare \"" + directory_.string() + "\"", failed.value());
    return {};
}

BranchVersions& StoreLayers::branch(BranchNumber number) const {
    BranchVersions& branch = branches_.find_or_make(number);
    if (!branch.loaded.load(std::memory_order_acquire)) load(branch);
    return branch;
}

void StoreLayers::load(BranchVersions& branch) const {
    const std::lock_guard writing(branch.writing());
    if (branch.loaded.load(std::memory_order_relaxed)) return;
    const auto read = [&](Kind kind) -> Result<std::optional<std::string>> {
        const VersionKeyBytes key = encode_version_key(branch.number(), ObjectKey::single(kind), Lsn{});
        std::string value;
        const auto status = db_.Get(rocksdb::ReadOptions(), &family_, rocksdb::Slice(key.data(), key.size()), &value);
        if (status.IsNotFound()) return std::optional<std::string>{};
        if (!status.ok()) return error_of_status(status, "could not read the page store");
        BOUGH_ASSIGN(const auto content, decode_presence(value));
        return content ? std::optional(std::string(*content)) : std::nullopt;
    };
    const auto load_rows = [&]() -> Result<void> {
        BOUGH_ASSIGN(const auto position, read(Kind::position));
        if (position) {
            BOUGH_ASSIGN(const LogPosition decoded, decode_position(*position));
            branch.durable_lsn = branch.sealed_through = decoded.lsn.value;
        }
        BOUGH_ASSIGN(const auto touched, read(Kind::touched));
        return touched ? branch.touched.add_encoded(*touched) : Result<void>();
    };
    if (const auto loaded = load_rows(); !loaded) {
        // Nothing may be passed over then, or taken for unchanged. Reads go on, and meet what is damaged.
        spdlog::error("page store {}: branch number {}: {}", directory_.parent_path().string(), branch.number().value,
                      loaded.error().to_string());
        branch.touched.add_everything();
        branch.sealed_through = ~std::uint64_t{0};
    }
    branch.touched_stored = BranchVersions::touched_size(branch.touched);
    branch.loaded.store(true, std::memory_order_release);
}

void StoreLayers::note_write() {
    if (dirty_since_.load(std::memory_order_relaxed) != 0) return;
    std::int64_t clean = 0;
    dirty_since_.compare_exchange_strong(clean, Clock::now().time_since_epoch().count());
}

std::optional<Clock::time_point> StoreLayers::dirty_since() const {
    const std::int64_t since = dirty_since_;
    if (since == 0) return std::nullopt;
    return Clock::time_point(Clock::duration(since));
}

void StoreLayers::layer_is_full(BranchVersions& branch) {
    branch.freeze();
    resources_.sealer.request(*this);
}

std::size_t StoreLayers::bytes_in_layers() const {
    std::size_t bytes = 0;
    for (const BranchVersions* branch : branches_.all()) {
        const auto layers = branch->snapshot();
        if (layers == nullptr) continue;
        if (layers->open != nullptr) bytes += layers->open->bytes();
        for (const auto& layer : layers->frozen) bytes += layer->bytes();
    }
    return bytes;
}

void StoreLayers::freeze_all() {
    for (BranchVersions* branch : branches_.all()) {
        const std::lock_guard writing(branch->writing());
        branch->freeze();
    }
}

std::vector<FrozenBranch> StoreLayers::frozen() const {
    std::vector<FrozenBranch> found;
    for (BranchVersions* branch : branches_.all()) {
        const auto layers = branch->snapshot();
        if (layers == nullptr || layers->frozen.empty()) continue;
        FrozenBranch& one = found.emplace_back();
        one.number = branch->number();
        one.layers.assign(layers->frozen.rbegin(), layers->frozen.rend());
        for (const auto& layer : one.layers)
            if (layer->position()) one.position = layer->position();
        const std::lock_guard writing(branch->writing());
        one.touched_size = BranchVersions::touched_size(branch->touched);
        if (one.touched_size != branch->touched_stored) one.touched = branch->touched.encode();
    }
    return found;
}

bool StoreLayers::compaction_is_behind() {
    std::uint64_t files = 0;
    const bool behind = db_.GetIntProperty(&family_, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + std::string("0"), &files) &&
                        files >= kLevel0FilesMax;
    if (behind && !compaction_is_behind_) behind_since_ = Clock::now();
    // One that makes no headway at all must not keep everything in memory for ever.
    compaction_is_behind_ = behind && Clock::now() - behind_since_ < kCompactionWaitMax;
    return compaction_is_behind_;
}

Result<void> StoreLayers::seal_frozen() {
    const std::vector<FrozenBranch> branches = frozen();
    if (branches.empty()) {
        // What could not be sealed was erased meanwhile.
        if (failed_.exchange(false)) resources_.open_bytes.wake();
        return {};
    }
    const auto begun = Clock::now();
    // After a failure of its own RocksDB takes nothing in until it is told to go on.
    if (failed_) db_.Resume().PermitUncheckedError();
    const std::filesystem::path file = directory_ / (std::to_string(++files_) + ".sst");
    const auto attempt = [&]() -> Result<void> {
        BOUGH_ASSIGN(const bool written, write_sealed_file(branches, db_.GetOptions(&family_), &family_, file));
        if (!written) return {};
        std::error_code ignored;
        const auto bytes = std::filesystem::file_size(file, ignored);
        rocksdb::IngestExternalFileOptions options;
        options.move_files = true;
        options.write_global_seqno = false;
        options.snapshot_consistency = false;  // readers' iterators pin the files they began with
        // The file gets its name in the store's directory, the directory is synced, and the MANIFEST says that it counts: only then
        // do versions and positions exist, all of them at once.
        const auto status = db_.IngestExternalFile(&family_, {file.string()}, options);
        if (!status.ok()) return error_of_status(status, "could not take a sealed layer into the page store");
        resources_.counts.sealed_file_bytes += bytes;
        return {};
    };
    const Result<void> sealed = attempt();
    if (!sealed) {
        std::error_code ignored;
        std::filesystem::remove(file, ignored);
        ++resources_.counts.seal_failures;
        failed_ = true;
        return sealed;
    }
    failed_ = false;
    seals_.fetch_add(1, std::memory_order_release);
    for (const FrozenBranch& one : branches) {
        BranchVersions* branch = branches_.find(one.number);
        if (one.position) {
            // WAL below it may be gone by now.
            BOUGH_CHECK(one.position->lsn.value >= branch->durable_lsn);
            branch->durable_lsn = one.position->lsn.value;
        }
        std::uint64_t highest = std::max(branch->sealed_through.load(), branch->durable_lsn.load());
        for (const auto& layer : one.layers) highest = std::max(highest, layer->highest_lsn().value);
        branch->sealed_through = highest;
        branch->forget(one.layers);
        const std::lock_guard writing(branch->writing());
        if (one.touched) branch->touched_stored = one.touched_size;
        resources_.counts.layers_sealed += one.layers.size();
    }
    resources_.counts.seal_microseconds +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count());
    return {};
}

Sealer::Outcome StoreLayers::seal(bool open_ones_too) {
    if (compaction_is_behind()) return Sealer::Outcome::later;
    const std::lock_guard one_at_a_time(sealing_);
    if (abandoned_) return Sealer::Outcome::done;
    if (open_ones_too) freeze_all();
    const Result<void> sealed = seal_frozen();
    if (sealed) return Sealer::Outcome::done;
    spdlog::error("page store {}: {}", directory_.parent_path().string(), sealed.error().to_string());
    return Sealer::Outcome::failed;
}

Result<void> StoreLayers::flush() {
    const std::lock_guard one_at_a_time(sealing_);
    const std::int64_t dirty_since = dirty_since_.exchange(0);
    if (abandoned_ || dirty_since == 0) return {};
    const auto attempt = [&]() -> Result<void> {
        freeze_all();
        BOUGH_TRY(seal_frozen());
        if (!unflushed_.exchange(false)) return {};
        rocksdb::FlushOptions options;
        options.allow_write_stall = true;
        const auto status = db_.Flush(options, &family_);
        if (status.ok()) return {};
        unflushed_ = true;
        return error_of_status(status, "could not flush the page store");
    };
    const Result<void> flushed = attempt();
    if (!flushed) dirty_since_ = dirty_since;
    return flushed;
}

void StoreLayers::drop(BranchNumber number) {
    const std::lock_guard nothing_is_being_sealed(sealing_);
    BranchVersions& branch = branches_.find_or_make(number);
    const std::lock_guard writing(branch.writing());
    branch.drop_all();
}

void StoreLayers::abandon() {
    abandoned_ = true;
    // It may live on for readers, and would else be taken for a store that holds too much.
    resources_.sealer.remove(*this);
    const std::lock_guard nothing_is_being_sealed(sealing_);
}

}  // namespace bough::pageserver
