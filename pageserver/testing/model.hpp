// What a branch must hold at every LSN, kept the plain way: a copy of the whole state per record. Tests compare the page store
// with it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bough/lsn.hpp"
#include "pageserver/branching/state.hpp"
#include "pg/change.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

using ModelPage = std::shared_ptr<const std::vector<std::byte>>;

struct ModelState {
    std::map<pg::RelationFork, std::vector<ModelPage>> forks;
    std::map<std::pair<pg::Slru, std::uint32_t>, std::vector<ModelPage>> slru_segments;
    std::map<DatabaseDirectory, bool> databases;
    std::map<DatabaseDirectory, std::string> relation_maps;
    std::map<std::uint32_t, std::string> tablespaces;
    std::map<std::uint32_t, std::string> two_phase;
    std::map<std::uint16_t, OriginProgress> origins;
    pg::Counters counters;
    pg::Parameters parameters;
};

struct ModelCommit {
    std::int64_t time;
    LogPosition before;
};

// Takes the same calls as the store's writer.
class Model final : public pg::ChangeSink {
public:
    // A root: `state` as of `start`.
    Model(LogPosition start, std::int64_t began, ModelState state);
    // A branch of `parent` at one of its positions.
    Model(const Model& parent, LogPosition start);

    LogPosition start() const { return start_; }
    LogPosition end() const { return end_; }
    std::int64_t began() const { return began_; }
    // Positions between records, the start included.
    const std::vector<LogPosition>& positions() const { return positions_; }
    // As of any LSN since the project's beginning.
    const ModelState& at(Lsn lsn) const;
    // The latest commit time up to an LSN.
    std::int64_t latest_commit(Lsn lsn) const;
    // nullopt: before the branch began.
    std::optional<LogPosition> position_at(std::int64_t time) const;

    void finish_record();

    // Nobody will ask for other places below the cutoff than these any more.
    void forget(Lsn cutoff, const std::vector<Lsn>& points);

    void record(Lsn start, Lsn end) override;
    void page_image(const pg::PageTag& tag, pg::ConstPage page) override;
    void page_record(const pg::PageTag& tag, pg::PageBase base, std::span<const std::byte> record_bytes) override;
    void page_edit(const pg::PageTag& tag, bool may_grow, std::string_view edit) override;
    void fork_create(const pg::RelationFork& fork) override;
    void fork_truncate(const pg::RelationFork& fork, std::uint32_t blocks) override;
    void relation_drop(const pg::Relation& relation) override;
    void database_create(std::uint32_t tablespace, std::uint32_t database) override;
    void database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                       std::uint32_t database) override;
    void database_drop(std::uint32_t tablespace, std::uint32_t database) override;
    void relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) override;
    void tablespace_create(std::uint32_t oid, std::string_view path) override;
    void tablespace_drop(std::uint32_t oid) override;
    void slru_zero_page(pg::Slru slru, std::uint32_t page) override;
    void slru_edit(pg::Slru slru, std::uint32_t page, std::string_view edit) override;
    void slru_drop_segments(pg::Slru slru, const SegmentPredicate& drop) override;
    void two_phase_prepare(std::uint32_t xid, std::string_view state_file) override;
    void two_phase_finish(std::uint32_t xid) override;
    void replication_origin(std::uint16_t origin, std::optional<Lsn> remote) override;
    void commit(std::int64_t commit_time) override;
    void counters(const pg::Counters& counters) override;
    void parameters(const pg::Parameters& parameters) override;

private:
    std::vector<std::byte> page_to_change(const pg::PageTag& tag, bool from_zeros);
    void store(const pg::PageTag& tag, std::vector<std::byte> page);

    LogPosition start_;
    LogPosition end_;
    std::int64_t began_;
    Lsn record_start_;
    Lsn record_end_;
    ModelState state_;
    std::vector<LogPosition> positions_;
    std::vector<ModelCommit> commits_;  // of this branch's own log, in order
    std::map<Lsn, ModelState> history_; // inherited and own
    std::map<Lsn, std::int64_t> latest_commits_;
};

}  // namespace bough::pageserver
