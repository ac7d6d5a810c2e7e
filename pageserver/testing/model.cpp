#include "pageserver/testing/model.hpp"

#include <algorithm>
#include <set>

#include "bough/check.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pg/page_edit.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kSlruPagesPerSegment = 32;

ModelPage share(std::vector<std::byte> page) { return std::make_shared<const std::vector<std::byte>>(std::move(page)); }

ModelPage zero_page() {
    static const ModelPage zeros = share(std::vector<std::byte>(pg::kPageBytes));
    return zeros;
}

pg::Page page_of(std::vector<std::byte>& bytes) { return pg::Page(bytes.data(), pg::kPageBytes); }

}  // namespace

Model::Model(LogPosition start, std::int64_t began, ModelState state)
    : start_(start), end_(start), began_(began), state_(std::move(state)), positions_{start} {
    history_[start.lsn] = state_;
    latest_commits_[start.lsn] = began;
}

Model::Model(const Model& parent, LogPosition start)
    : start_(start), end_(start), began_(parent.latest_commit(start.lsn)), state_(parent.at(start.lsn)), positions_{start},
      history_(parent.history_), latest_commits_(parent.latest_commits_) {
    history_.erase(history_.upper_bound(start.lsn), history_.end());
    latest_commits_.erase(latest_commits_.upper_bound(start.lsn), latest_commits_.end());
}

const ModelState& Model::at(Lsn lsn) const {
    const auto after = history_.upper_bound(lsn);
    BOUGH_CHECK(after != history_.begin());
    return std::prev(after)->second;
}

std::int64_t Model::latest_commit(Lsn lsn) const {
    const auto after = latest_commits_.upper_bound(lsn);
    BOUGH_CHECK(after != latest_commits_.begin());
    return std::prev(after)->second;
}

std::optional<LogPosition> Model::position_at(std::int64_t time) const {
    if (time < began_) return std::nullopt;
    const auto later = std::ranges::find_if(commits_, [&](const ModelCommit& c) { return c.time > time; });
    return later == commits_.end() ? end_ : later->before;
}

void Model::record(Lsn start, Lsn end) {
    record_start_ = start;
    record_end_ = end;
}

void Model::finish_record() {
    end_ = {record_end_, record_start_};
    positions_.push_back(end_);
    history_[record_end_] = state_;
}

void Model::forget(Lsn cutoff, const std::vector<Lsn>& points) {
    const auto thin_out = [&](auto& by_lsn) {
        std::set<Lsn> needed;
        const auto newest_at = [&](Lsn lsn) {
            const auto after = by_lsn.upper_bound(lsn);
            if (after != by_lsn.begin()) needed.insert(std::prev(after)->first);
        };
        newest_at(cutoff);
        for (const Lsn point : points) newest_at(point);
        std::erase_if(by_lsn, [&](const auto& entry) { return entry.first < cutoff && !needed.contains(entry.first); });
    };
    thin_out(history_);
    thin_out(latest_commits_);
    std::erase_if(positions_, [&](const LogPosition& position) {
        return position.lsn < cutoff && std::ranges::find(points, position.lsn) == points.end();
    });
    // The last one below the cutoff says from which moment on the others are right.
    const auto kept = std::ranges::find_if(commits_, [&](const ModelCommit& commit) { return commit.before.lsn >= cutoff; });
    commits_.erase(commits_.begin(), kept);
}

std::vector<std::byte> Model::page_to_change(const pg::PageTag& tag, bool from_zeros) {
    const auto fork = state_.forks.find(tag.fork);
    if (from_zeros || fork == state_.forks.end() || tag.block >= fork->second.size()) return *zero_page();
    return *fork->second[tag.block];
}

void Model::store(const pg::PageTag& tag, std::vector<std::byte> page) {
    auto& pages = state_.forks[tag.fork];
    while (pages.size() <= tag.block) pages.push_back(zero_page());
    pages[tag.block] = share(std::move(page));
}

void Model::page_image(const pg::PageTag& tag, pg::ConstPage page) { store(tag, {page.begin(), page.end()}); }

void Model::page_record(const pg::PageTag& tag, pg::PageBase base, std::span<const std::byte> record_bytes) {
    auto page = page_to_change(tag, base == pg::PageBase::zero);
    fake_apply(page_of(page), {record_start_, record_end_, record_bytes});
    store(tag, std::move(page));
}

void Model::page_edit(const pg::PageTag& tag, bool may_grow, std::string_view edit) {
    const auto fork = state_.forks.find(tag.fork);
    if (!may_grow && (fork == state_.forks.end() || tag.block >= fork->second.size())) return;
    auto page = page_to_change(tag, false);
    BOUGH_CHECK(pg::apply_page_edits(page_of(page), edit, record_end_).has_value());
    store(tag, std::move(page));
}

void Model::fork_create(const pg::RelationFork& fork) { state_.forks[fork]; }

void Model::fork_truncate(const pg::RelationFork& fork, std::uint32_t blocks) {
    const auto found = state_.forks.find(fork);
    if (found != state_.forks.end() && blocks < found->second.size()) found->second.resize(blocks);
}

void Model::relation_drop(const pg::Relation& relation) {
    std::erase_if(state_.forks, [&](const auto& entry) { return entry.first.relation == relation; });
}

void Model::database_create(std::uint32_t tablespace, std::uint32_t database) { state_.databases[{tablespace, database}] = true; }

void Model::database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                          std::uint32_t database) {
    auto copies = state_.forks;
    for (const auto& [fork, pages] : copies) {
        if (fork.relation.tablespace != source_tablespace || fork.relation.database != source_database) continue;
        state_.forks[{{tablespace, database, fork.relation.number}, fork.fork}] = pages;
    }
    const auto map = state_.relation_maps.find({source_tablespace, source_database});
    if (map != state_.relation_maps.end()) state_.relation_maps[{tablespace, database}] = map->second;
    state_.databases[{tablespace, database}] = true;
}

void Model::database_drop(std::uint32_t tablespace, std::uint32_t database) {
    std::erase_if(state_.forks, [&](const auto& entry) {
        return entry.first.relation.tablespace == tablespace && entry.first.relation.database == database;
    });
    state_.relation_maps.erase({tablespace, database});
    state_.databases.erase({tablespace, database});
}

void Model::relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) {
    state_.relation_maps[{tablespace, database}] = content;
}

void Model::tablespace_create(std::uint32_t oid, std::string_view path) { state_.tablespaces[oid] = path; }

void Model::tablespace_drop(std::uint32_t oid) { state_.tablespaces.erase(oid); }

void Model::slru_zero_page(pg::Slru slru, std::uint32_t page) {
    auto& pages = state_.slru_segments[{slru, page / kSlruPagesPerSegment}];
    while (pages.size() <= page % kSlruPagesPerSegment) pages.push_back(zero_page());
    pages[page % kSlruPagesPerSegment] = zero_page();
}

void Model::slru_edit(pg::Slru slru, std::uint32_t page, std::string_view edit) {
    auto& pages = state_.slru_segments[{slru, page / kSlruPagesPerSegment}];
    while (pages.size() <= page % kSlruPagesPerSegment) pages.push_back(zero_page());
    ModelPage& slot = pages[page % kSlruPagesPerSegment];
    auto changed = *slot;
    BOUGH_CHECK(pg::apply_slru_edits(page_of(changed), slru, edit).has_value());
    slot = share(std::move(changed));
}

void Model::slru_drop_segments(pg::Slru slru, const SegmentPredicate& drop) {
    std::erase_if(state_.slru_segments,
                  [&](const auto& entry) { return entry.first.first == slru && drop(entry.first.second); });
}

void Model::two_phase_prepare(std::uint32_t xid, std::string_view state_file) { state_.two_phase[xid] = state_file; }

void Model::two_phase_finish(std::uint32_t xid) { state_.two_phase.erase(xid); }

void Model::replication_origin(std::uint16_t origin, std::optional<Lsn> remote) {
    if (remote)
        state_.origins[origin] = {*remote, record_end_};
    else
        state_.origins.erase(origin);
}

void Model::commit(std::int64_t commit_time) {
    commits_.push_back({commit_time, end_});
    latest_commits_[record_end_] = std::max(commit_time, latest_commit(record_end_));
}

void Model::counters(const pg::Counters& counters) { state_.counters = counters; }

void Model::parameters(const pg::Parameters& parameters) { state_.parameters = parameters; }

}  // namespace bough::pageserver
