// What a WAL record does to the state that the pageserver keeps. A ChangeExtractor (one per major version) reads records and
// calls a ChangeSink; the sink writes versions at the record's end LSN.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"

namespace bough::pg {

// The fields of Postgres's CheckPoint that change with the log: what the synthetic checkpoint at an LSN must say.
struct Counters {
    std::uint64_t next_full_xid = 0;
    std::uint32_t next_oid = 0;
    std::uint32_t next_multi = 0;
    std::uint32_t next_multi_offset = 0;
    std::uint32_t oldest_xid = 0;
    std::uint32_t oldest_xid_database = 0;
    std::uint32_t oldest_multi = 0;
    std::uint32_t oldest_multi_database = 0;
    std::uint32_t oldest_commit_ts_xid = 0;
    std::uint32_t newest_commit_ts_xid = 0;
    bool operator==(const Counters&) const = default;
};

// The settings that Postgres keeps in the control file because recovery needs them (XLOG_PARAMETER_CHANGE).
struct Parameters {
    std::int32_t wal_level = 1;
    bool wal_log_hints = false;
    std::int32_t max_connections = 100;
    std::int32_t max_worker_processes = 8;
    std::int32_t max_wal_senders = 10;
    std::int32_t max_prepared_transactions = 0;
    std::int32_t max_locks_per_transaction = 64;
    bool track_commit_timestamp = false;
    bool operator==(const Parameters&) const = default;
};

// How the chain of a page's versions continues below a record.
enum class PageBase : std::uint8_t {
    previous,  // the record changes the version before it
    zero,      // the record initialises the page, or is the first after the relation grew over it: it begins from zeros
};

// Receives the changes of one record after another, in log order. Methods may not throw.
//
// "Edits" are changes that no redo function makes page by page (visibility map bits, transaction status ...): a short byte
// string, concatenable, that apply_page_edits() / apply_slru_edits() (page_edit.hpp) carry out on a page. Several edits of one
// page by one record arrive as several calls; they apply in the order of the calls.
class ChangeSink {
public:
    virtual ~ChangeSink() = default;

    // Called first for every record; all that follows belongs to it. Versions are to be written at `end`.
    virtual void record(Lsn start, Lsn end) = 0;

    // --- pages of relations. A page at or beyond the fork's length makes the fork grow to hold it (the sink knows lengths:
    // it fills the gap with zero versions, and treats PageBase::previous of a page beyond the old end as zero).
    virtual void page_image(const PageTag& tag, ConstPage page) = 0;
    // The same of a page with zeros in its middle, from `hole_begin` (behind the header) on: `bytes` are what is before and behind them, and
    // `lsn` is the page's, not theirs. Valid during the call.
    virtual void page_image_without_hole(const PageTag& tag, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn);
    // `record_bytes`: the record as redo of this page needs it (images of other blocks taken out). Valid during the call.
    virtual void page_record(const PageTag& tag, PageBase base, std::span<const std::byte> record_bytes) = 0;
    // An edit never makes a fork grow unless `may_grow`: an edit of a page beyond the end is then nothing.
    virtual void page_edit(const PageTag& tag, bool may_grow, std::string_view edit) = 0;

    // --- relations
    virtual void fork_create(const RelationFork& fork) = 0;  // length 0 unless it exists
    // Only ever shorter; nothing if there is no such fork.
    virtual void fork_truncate(const RelationFork& fork, std::uint32_t blocks) = 0;
    virtual void relation_drop(const Relation& relation) = 0;  // all forks

    // --- databases: a directory (tablespace, database) with its PG_VERSION, relation map and relations
    virtual void database_create(std::uint32_t tablespace, std::uint32_t database) = 0;  // empty
    virtual void database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                               std::uint32_t database) = 0;  // the directory as it is at this record
    virtual void database_drop(std::uint32_t tablespace, std::uint32_t database) = 0;
    // Database 0 with tablespace 1664 is the shared map. `content` is the file pg_filenode.map, whole.
    virtual void relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) = 0;
    virtual void tablespace_create(std::uint32_t oid, std::string_view path) = 0;
    virtual void tablespace_drop(std::uint32_t oid) = 0;

    // --- SLRUs: pages of 8192 bytes, files of 32 pages
    virtual void slru_zero_page(Slru slru, std::uint32_t page) = 0;
    // A page that does not exist counts as zeros.
    virtual void slru_edit(Slru slru, std::uint32_t page, std::string_view edit) = 0;
    // Every segment file (32 pages) for which `drop(segment)` is true goes away.
    struct SegmentPredicate {
        virtual ~SegmentPredicate() = default;
        virtual bool operator()(std::uint32_t segment) const = 0;
    };
    virtual void slru_drop_segments(Slru slru, const SegmentPredicate& drop) = 0;

    // --- the rest
    virtual void two_phase_prepare(std::uint32_t xid, std::string_view state_file) = 0;  // the file pg_twophase/XID, whole
    virtual void two_phase_finish(std::uint32_t xid) = 0;
    // Its local LSN is the record's end; nullopt: dropped.
    virtual void replication_origin(std::uint16_t origin, std::optional<Lsn> remote) = 0;
    virtual void commit(std::int64_t commit_time) = 0;          // microseconds since 2000-01-01 UTC (TimestampTz)
    virtual void counters(const Counters& counters) = 0;        // only when they changed
    virtual void parameters(const Parameters& parameters) = 0;  // only when they changed
};

}  // namespace bough::pg
