// Turns the changes of WAL records into versions in the store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pg/change.hpp"

namespace bough::pageserver {

// Writes the versions of finished records into the branch's open layer, some records at a time, and with them the log position that
// they amount to; they can be read once that is published, which is done for many records at a time. What a crash loses is written
// again, the same, when the log is read again from the position stored.
//
// One per branch at a time, used by one thread. The branch must be readable at its ingest LSN, and borrowed things must outlive
// this.
class ChangeWriter final : public pg::ChangeSink {
public:
    // So much is written to the layer at once, of finished records: enough that the layer's places for the next changes are fetched
    // meanwhile, and little enough that the values are still in the processor's cache.
    struct AtOnce {
        std::size_t changes = 256;
        std::size_t value_bytes = 64 << 10;
    };
    static Result<std::unique_ptr<ChangeWriter>> make(Branch& branch, PageReader& reader, AtOnce at_once);
    static Result<std::unique_ptr<ChangeWriter>> make(Branch& branch, PageReader& reader) { return make(branch, reader, AtOnce{}); }

    // After all changes of a record have been given.
    void finish_record();
    // Instead, when they could not all be given: nothing of it remains, and no further record may follow.
    void drop_record();
    // Publishes the position: what is finished can be read, also when this gives the failure of what came after it.
    Result<void> commit();

    // Pages that were changed very often since they were last asked for here, or since an image; only what is committed.
    static constexpr std::uint32_t kHotChanges = 256;
    std::vector<ObjectKey> take_hot_pages() { return std::exchange(committed_hot_pages_, {}); }

    // The first thing that went wrong, after which no further record is taken.
    const std::optional<Error>& failure() const { return failure_; }
    std::size_t pending_bytes() const { return pending_bytes_; }
    std::size_t pending_records() const { return pending_records_; }
    LogPosition finished() const { return finished_; }

    void record(Lsn start, Lsn end) override;
    void page_image(const pg::PageTag& tag, pg::ConstPage page) override;
    void page_image_without_hole(const pg::PageTag& tag, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn) override;
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
    struct Change {
        ObjectKey object;
        bool is_base = false;
        std::uint32_t order = 0;  // of the calls
        std::uint64_t hash = 0;   // of the object
        Lsn lsn;                  // where its record ends
        std::size_t begin = 0;    // of its value in values_
        std::size_t size = 0;
    };
    struct ObjectHash {
        std::size_t operator()(const ObjectKey& key) const noexcept;
    };
    using Length = std::optional<std::uint32_t>;  // of a fork or SLRU segment; nullopt: there is none

    ChangeWriter(Branch& branch, PageReader& reader, AtOnce at_once, std::int64_t latest_commit_time);

    // What is appended to values_ between the two is the value of a change to `object`.
    void begin_change() { change_begin_ = values_.size(); }
    void end_change(const ObjectKey& object, bool is_base);
    void add(const ObjectKey& object, std::string_view value);
    void add_zero_page(const ObjectKey& page);
    // What one record does to one object becomes one version: of pages all steps, of other things the last state.
    void combine_changes();
    // Everything of finished records goes to the store, or failure_ says why not.
    void write_changes();
    // `changes`: of the page since its last base in the open layer.
    void note_changes(const ObjectKey& page, std::uint32_t changes);
    void fail(const Error& error);
    // Everything of the records before the current one can be read when this returns true.
    bool publish_finished();

    Length length(const ObjectKey& object);
    Length length_not_recent(const ObjectKey& object);
    void set_length(const ObjectKey& object, Length length);
    // Makes the fork or segment reach over `block`, with zero pages before it. True when it did not before.
    bool grow(const ObjectKey& length_object, const ObjectKey& page_object, std::uint32_t block_in_object);
    bool grow_fork(const pg::PageTag& tag);
    bool grow_segment(pg::Slru slru, std::uint32_t page);

    Result<void> copy_database(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                               std::uint32_t database);
    Result<void> copy_fork(const pg::RelationFork& source, const pg::RelationFork& target, std::uint32_t blocks);
    Result<void> drop_database(std::uint32_t tablespace, std::uint32_t database);

    Branch& branch_;
    PageReader& reader_;
    const AtOnce at_once_;

    Lsn record_start_;  // of the record under way
    Lsn record_end_;
    // Of finished records that are not written yet, and behind them of the record under way.
    std::vector<Change> changes_;
    std::string values_;
    std::size_t change_begin_ = 0;
    // Where those of the record under way begin.
    std::size_t record_changes_ = 0;
    std::size_t record_values_ = 0;
    bool dropped_record_ = false;

    // Of finished records that are not published yet.
    std::size_t pending_records_ = 0;
    std::size_t pending_bytes_ = 0;
    LogPosition finished_;  // the last finished record
    LogPosition written_;   // of those the last that is in the store
    std::int64_t latest_commit_time_;
    std::unordered_map<ObjectKey, Length, ObjectHash> lengths_;  // as of the record under way; what is not in it is in the store
    // In front of lengths_, by hash: most records are of a few forks.
    struct RecentLength {
        ObjectKey object;
        Length length;
    };
    std::array<RecentLength, 256> recent_lengths_;
    std::unordered_map<ObjectKey, std::uint32_t, ObjectHash> changes_of_pages_;  // since the last image or base, roughly
    std::vector<ObjectKey> hot_pages_;                                           // of records not committed yet
    std::vector<ObjectKey> committed_hot_pages_;  // to be taken; those that nobody takes are forgotten
    std::optional<Error> failure_;
};

}  // namespace bough::pageserver
