#include "pageserver/gc/store_model.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "bough/check.hpp"
#include "pageserver/branching/restore_window.hpp"
#include "pageserver/branching/time_index.hpp"

namespace bough::pageserver {
namespace {

// Layers of a few versions: sealing, and with it compaction, goes on all the time.
StoreResources::Options tiny() {
    StoreResources::Options options;
    options.layer_bytes = 48 << 10;
    options.block_cache_bytes = 8 << 20;
    return options;
}

// No window by time: the made-up commit times all lie far back. Cutoffs are raised by hand.
constexpr RestoreWindow kForEver{std::chrono::hours(24 * 36500), 0};

ModelState beginning() {
    ModelState state;
    state.parameters = {};
    return state;
}

}  // namespace

StoreModel::StoreModel(std::uint64_t seed) : random_(seed), operations_(random_, 12, kScriptBegan), resources_(tiny()) {
    std::filesystem::create_directories(directory_.path() / "none");
    no_projects_ = *Projects::open(directory_.path() / "none", resources_);
    std::filesystem::create_directories(directory_.path() / "project");
    BOUGH_CHECK(create_script_project(directory_.path() / "project", resources_).has_value());
    const BranchId root = *BranchId::parse(script_branch_name(0));
    Life& life = lives_.try_emplace(root.str(), Life{root, nullptr, nullptr, {}, kScriptStart.lsn, {}}).first->second;
    life.model = std::make_unique<Model>(kScriptStart, kScriptBegan, beginning());
    open();
    EXPECT_TRUE(runner_->project().set_restore_window(kForEver).has_value());
}

StoreModel::~StoreModel() {
    for (auto& [name, life] : lives_) life.writer.reset();
}

void StoreModel::open() {
    auto project = open_script_project(directory_.path() / "project", resources_);
    ASSERT_TRUE(project.has_value()) << project.error().to_string();
    runner_ = std::make_unique<ScriptRunner>(std::move(*project));
    garbage_ = std::make_unique<GarbageCollector>(*no_projects_, runner_->reader(), garbage_metrics_,
                                                  GarbageCollectorOptions{.images_at_once = 2});
}

StoreModel::Life& StoreModel::any_life() {
    return std::next(lives_.begin(), below(static_cast<std::uint32_t>(lives_.size())))->second;
}

std::shared_ptr<Branch> StoreModel::branch(const Life& life) { return *runner_->project().branch(life.id); }

std::vector<Lsn> StoreModel::points(const Life& life) const {
    std::vector<Lsn> all;
    for (const auto& [id, position] : life.snapshots) all.push_back(position.lsn);
    for (const auto& [name, other] : lives_)
        if (other.parent == life.id.str()) all.push_back(other.model->start().lsn);
    return all;
}

bool StoreModel::keeps(const Life& life, Lsn lsn) const {
    return lsn >= life.cutoff || std::ranges::count(points(life), lsn) > 0;
}

LogPosition StoreModel::any_kept_position(const Life& life) {
    const auto& positions = life.model->positions();
    while (true) {
        const LogPosition position = positions[below(static_cast<std::uint32_t>(positions.size()))];
        if (keeps(life, position.lsn)) return position;
    }
}

void StoreModel::commit_all() {
    for (auto& [name, life] : lives_) {
        if (life.writer == nullptr) continue;
        const auto committed = life.writer->commit();
        ASSERT_TRUE(committed.has_value()) << committed.error().to_string();
    }
}

void StoreModel::forget_durable() {
    std::map<std::string, Lsn> durable;
    for (const auto& [name, life] : lives_) durable[name] = runner_->project().store().durable_lsn(branch(life)->number());
    std::erase_if(log_, [&](const Logged& record) {
        const auto found = durable.find(record.branch);
        return found == durable.end() || record.position.lsn <= found->second;
    });
}

void StoreModel::step() {
    const std::uint32_t dice = below(1000);
    if (dice < 640)
        add_record();
    else if (dice < 800)
        compare_pages();
    else if (dice < 830)
        compare_moment();
    else if (dice < 850)
        compare_state();
    else if (dice < 880)
        read_too_early();
    else if (dice < 900)
        add_branch();
    else if (dice < 912)
        delete_branch();
    else if (dice < 945)
        raise_cutoff();
    else if (dice < 955)
        add_snapshot();
    else if (dice < 965)
        delete_snapshot();
    else if (dice < 980) {
        EXPECT_TRUE(runner_->project().store().flush().has_value());
        forget_durable();
    } else if (dice < 995)
        collect();
    else if (dice < 998)
        reopen(/*crash=*/false);
    else
        reopen(/*crash=*/true);
}

void StoreModel::add_record() {
    Life& life = any_life();
    Model& model = *life.model;
    Logged record{life.id.str(), {}, {}};
    const Lsn start = model.end().lsn + 8 * below(4);
    record.position = {start + 32 + 8 * below(100), start};
    record.operations = operations_.make_record(model.at(model.end().lsn));
    model.record(record.position.prev_lsn, record.position.lsn);
    for (const Operation& operation : record.operations) operation(model);
    model.finish_record();
    apply(record);
    log_.push_back(std::move(record));
    ++counts_.records;
}

void StoreModel::apply(const Logged& record) {
    Life& life = lives_.at(record.branch);
    if (life.writer == nullptr) {
        commit_all();  // a child's ingest needs its ancestors' state
        // One change at once, as if each record were written on its own, or some.
        auto writer = ChangeWriter::make(*branch(life), runner_->reader(), {.changes = 1 + below(12)});
        ASSERT_TRUE(writer.has_value()) << writer.error().to_string();
        life.writer = std::move(*writer);
    }
    life.writer->record(record.position.prev_lsn, record.position.lsn);
    for (const Operation& operation : record.operations) operation(*life.writer);
    life.writer->finish_record();
    if (below(4) != 0) return;
    const auto committed = life.writer->commit();
    ASSERT_TRUE(committed.has_value()) << committed.error().to_string();
}

void StoreModel::add_branch() {
    Life& parent = any_life();
    const bool too_early = below(4) == 0 && parent.cutoff > parent.model->start().lsn + 2;
    const LogPosition start =
        too_early ? LogPosition{Lsn{parent.cutoff.value - 1}, parent.model->start().lsn} : any_kept_position(parent);
    if (!too_early && lives_.size() >= kBranchesMax) return;
    const BranchId id = *BranchId::parse("b" + std::to_string(names_given_++));
    const auto made = runner_->project().create_branch(id, parent.id, start);
    if (!keeps(parent, start.lsn)) {
        ASSERT_FALSE(made.has_value());
        EXPECT_EQ(made.error().code, ErrorCode::out_of_range);
        EXPECT_NE(made.error().message.find(parent.cutoff.to_string()), std::string::npos) << made.error().message;
        ++counts_.refused;
        return;
    }
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
    Life& life = lives_.try_emplace(id.str(), Life{id, nullptr, nullptr, parent.id.str(), start.lsn, {}}).first->second;
    life.model = std::make_unique<Model>(*parent.model, start);
    ++counts_.branches_made;
}

void StoreModel::delete_branch() {
    Life& life = any_life();
    if (life.parent.empty()) return;
    const bool free = points(life).empty();
    if (free) life.writer.reset();
    const auto deleted = runner_->project().delete_branch(life.id);
    EXPECT_EQ(deleted.has_value(), free);
    if (!free) return;
    lives_.erase(life.id.str());
    ++counts_.branches_deleted;
}

void StoreModel::raise_cutoff() {
    Life& life = any_life();
    const auto held = branch(life);
    const Lsn wanted = any_kept_position(life).lsn;
    const auto raised = runner_->project().raise_cutoffs({{held->number(), wanted}});
    ASSERT_TRUE(raised.has_value()) << raised.error().to_string();
    const Lsn cutoff = held->cutoff();
    EXPECT_GE(cutoff, life.cutoff);
    EXPECT_LE(cutoff, std::max(life.cutoff, wanted));
    if (cutoff > life.cutoff) ++counts_.cutoffs_raised;
    life.cutoff = cutoff;
    life.model->forget(cutoff, points(life));
}

void StoreModel::add_snapshot() {
    Life& life = any_life();
    if (life.snapshots.size() >= 4) return;
    const SnapshotId id = *SnapshotId::parse("s" + std::to_string(names_given_++));
    const LogPosition at = any_kept_position(life);
    const auto made = runner_->project().create_snapshot(id, life.id, at);
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
    life.snapshots.emplace(id, at);
    ++counts_.snapshots_made;
}

void StoreModel::delete_snapshot() {
    Life& life = any_life();
    if (life.snapshots.empty()) return;
    const SnapshotId id = life.snapshots.begin()->first;
    ASSERT_TRUE(runner_->project().delete_snapshot(id).has_value());
    life.snapshots.erase(id);
}

void StoreModel::collect() {
    const auto collected = garbage_->collect(runner_->project());
    ASSERT_TRUE(collected.has_value()) << collected.error().to_string();
    for (auto& [name, life] : lives_) ASSERT_EQ(branch(life)->cutoff(), life.cutoff);
    ++counts_.collections;
    counts_.images_at_cutoffs = garbage_metrics_.images_at_cutoffs;
}

void StoreModel::compare_pages() {
    commit_all();
    Life& life = any_life();
    const Lsn at = any_kept_position(life).lsn;
    const ModelState& state = life.model->at(at);
    if (state.forks.empty()) return;
    const auto& [fork, pages] = *std::next(state.forks.begin(), below(static_cast<std::uint32_t>(state.forks.size())));
    SCOPED_TRACE(life.id.str() + " at " + at.to_string());
    runner_->expect_pages(*branch(life), fork, pages, at);
    counts_.pages_compared += pages.size();
}

void StoreModel::compare_state() {
    commit_all();
    Life& life = any_life();
    const Lsn at = any_kept_position(life).lsn;
    runner_->expect_equal(*branch(life), life.model->at(at), at);
    ++counts_.whole_states_compared;
}

void StoreModel::compare_moment() {
    commit_all();
    Life& life = any_life();
    const std::int64_t oldest = life.model->latest_commit(life.cutoff);
    const std::int64_t newest = life.model->latest_commit(life.model->end().lsn);
    const std::int64_t time = oldest - 500 + static_cast<std::int64_t>(below(static_cast<std::uint32_t>(newest - oldest + 1000)));
    const auto got = position_at(*branch(life), time);
    if (time < oldest) {
        EXPECT_EQ(got.has_value() ? ErrorCode::internal : got.error().code, ErrorCode::out_of_range);
        ++counts_.refused;
        return;
    }
    ASSERT_TRUE(got.has_value()) << got.error().to_string();
    EXPECT_EQ(got->lsn, life.model->position_at(time)->lsn) << life.id.str() << " at time " << time;
    ++counts_.moments_compared;
}

void StoreModel::read_too_early() {
    Life& life = any_life();
    const Lsn start = life.model->start().lsn;
    if (life.cutoff == start) return;
    const Lsn at = start + below(static_cast<std::uint32_t>(life.cutoff - start));
    if (keeps(life, at)) return;
    std::vector<std::byte> page(pg::kPageBytes);
    const auto read = runner_->reader().read(*branch(life), {{1663, 5, 16384}, pg::Fork::main}, 0, page, at);
    EXPECT_EQ(read.has_value() ? ErrorCode::internal : read.error().code, ErrorCode::out_of_range)
        << life.id.str() << " at " << at.to_string();
    ++counts_.refused;
}

void StoreModel::reopen(bool crash) {
    for (auto& [name, life] : lives_) life.writer.reset();
    // An abandoned store writes nothing any more, not even when it is closed: what is in memory is lost.
    if (crash) runner_->project().store().abandon();
    garbage_.reset();
    runner_.reset();
    open();
    if (testing::Test::HasFatalFailure()) return;
    for (const auto& [name, life] : lives_) {
        const auto held = branch(life);
        EXPECT_EQ(held->cutoff(), life.cutoff);
        EXPECT_GE(held->ingested().lsn, life.cutoff);
    }
    for (const Logged& record : log_)
        if (const auto life = lives_.find(record.branch); life != lives_.end()) {
            const Lsn have =
                life->second.writer != nullptr ? life->second.writer->finished().lsn : branch(life->second)->ingested().lsn;
            if (have < record.position.lsn) apply(record);
        }
    commit_all();
    for (const auto& [name, life] : lives_) EXPECT_EQ(branch(life)->ingested(), life.model->end()) << name;
    ++(crash ? counts_.crashes : counts_.reopenings);
}

void StoreModel::compare_all() {
    commit_all();
    for (auto& [name, life] : lives_) {
        const Lsn end = life.model->end().lsn;
        runner_->expect_equal(*branch(life), life.model->at(end), end);
        const Lsn at = any_kept_position(life).lsn;
        runner_->expect_equal(*branch(life), life.model->at(at), at);
        for (const Lsn point : points(life)) runner_->expect_equal(*branch(life), life.model->at(point), point);
        if (testing::Test::HasFailure()) return;
    }
}

}  // namespace bough::pageserver
