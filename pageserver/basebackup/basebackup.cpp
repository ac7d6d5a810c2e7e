#include "pageserver/basebackup/basebackup.hpp"

#include <array>
#include <cstdio>
#include <vector>

#include "bough/check.hpp"
#include "pageserver/basebackup/manifest.hpp"
#include "pageserver/basebackup/replication_origins_file.hpp"
#include "pageserver/branching/state.hpp"
#include "pageserver/import/relation_file_name.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/wal_format.hpp"
#include "tar/tar.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kDefaultTablespace = 1663;
constexpr std::uint32_t kGlobalTablespace = 1664;
constexpr const char* kVersionFile = "15\n";

// What a data directory has besides the directories of databases and tablespaces.
constexpr std::array kDirectories = {
    "base",       "bough",      "global",        "pg_commit_ts",      "pg_dynshmem",           "pg_logical",
    "pg_logical/mappings",      "pg_logical/snapshots",               "pg_multixact",          "pg_multixact/members",
    "pg_multixact/offsets",     "pg_notify",     "pg_replslot",       "pg_serial",             "pg_snapshots",
    "pg_stat",    "pg_stat_tmp", "pg_subtrans",  "pg_tblspc",         "pg_twophase",           "pg_wal",
    "pg_wal/archive_status",    "pg_xact",
};

constexpr std::array<std::pair<pg::Slru, const char*>, 4> kSlruDirectories = {{
    {pg::Slru::xact, "pg_xact"},
    {pg::Slru::multixact_offsets, "pg_multixact/offsets"},
    {pg::Slru::multixact_members, "pg_multixact/members"},
    {pg::Slru::commit_ts, "pg_commit_ts"},
}};

std::string hexadecimal(const char* format, std::uint32_t number) {
    char text[16];
    std::snprintf(text, sizeof(text), format, number);
    return text;
}

class Basebackup {
public:
    Basebackup(const Branch& branch, const ProjectRow& project, PageReader& reader, Lsn lsn, pg::v15::ControlFile control)
        : branch_(branch), project_(project), reader_(reader), lsn_(lsn), control_(control) {}

    Result<std::string> make() {
        archive_.add_file("PG_VERSION", kVersionFile);
        for (const char* directory : kDirectories) archive_.add_directory(directory);
        BOUGH_TRY(add_control_file());
        BOUGH_TRY(add_databases());
        for (const auto& [slru, directory] : kSlruDirectories) BOUGH_TRY(add_slru(slru, directory));
        BOUGH_TRY(add_two_phase());
        BOUGH_TRY(add_origins());
        BOUGH_TRY(add_relations());
        return archive_.finish();
    }

private:
    Result<void> add_control_file() {
        BOUGH_ASSIGN(const pg::Counters counters, read_counters(branch_, lsn_));
        BOUGH_ASSIGN(const pg::Parameters parameters, read_parameters(branch_, lsn_));
        // Where the record after lsn begins: behind the page header when lsn is at the start of a page.
        const Lsn record = lsn_.value % pg::kWalPageBytes == 0
                               ? lsn_ + pg::wal_page_header_bytes(lsn_.value, control_.wal_segment_bytes())
                               : lsn_;
        const auto file = control_.with_shutdown_checkpoint(record, counters, parameters, project_.system_id);
        archive_.add_file("global/pg_control", file.encode());
        return {};
    }

    std::string tablespace_directory(std::uint32_t tablespace) const {
        return "pg_tblspc/" + std::to_string(tablespace) + "/PG_15_" + std::to_string(control_.catalog_version());
    }

    std::string database_directory(std::uint32_t tablespace, std::uint32_t database) const {
        if (tablespace == kGlobalTablespace) return "global";
        if (tablespace == kDefaultTablespace) return "base/" + std::to_string(database);
        return tablespace_directory(tablespace) + "/" + std::to_string(database);
    }

    Result<void> add_databases() {
        BOUGH_ASSIGN(const auto tablespaces, read_tablespaces(branch_, lsn_));
        for (const auto& [oid, path] : tablespaces) {
            archive_.add_directory("pg_tblspc/" + std::to_string(oid));
            archive_.add_directory(tablespace_directory(oid));
        }
        BOUGH_ASSIGN(const auto databases, read_databases(branch_, lsn_));
        for (const auto& [tablespace, database] : databases) {
            const std::string directory = database_directory(tablespace, database);
            archive_.add_directory(directory);
            archive_.add_file(directory + "/PG_VERSION", kVersionFile);
        }
        BOUGH_ASSIGN(const auto maps, read_relation_maps(branch_, lsn_));
        if (!maps.contains({kGlobalTablespace, 0}))
            return Error{ErrorCode::corrupt, "branch \"" + branch_.row().id.str() + "\" has no shared relation map", {}};
        for (const auto& [directory, content] : maps)
            archive_.add_file(database_directory(directory.tablespace, directory.database) + "/pg_filenode.map", content);
        return {};
    }

    Result<void> add_slru(pg::Slru slru, const std::string& directory) {
        constexpr std::uint32_t kPagesPerSegment = 32;
        BOUGH_ASSIGN(const auto segments, read_slru_segments(branch_, slru, lsn_));
        for (const auto& [segment, pages] : segments) {
            std::string content(std::size_t{pages} * pg::kPageBytes, '\0');
            BOUGH_TRY(reader_.read_slru(branch_, slru, segment * kPagesPerSegment, std::as_writable_bytes(std::span(content)), lsn_));
            archive_.add_file(directory + "/" + hexadecimal("%04X", segment), content);
        }
        return {};
    }

    Result<void> add_two_phase() {
        BOUGH_ASSIGN(const auto files, read_two_phase(branch_, lsn_));
        for (const auto& [xid, content] : files) archive_.add_file("pg_twophase/" + hexadecimal("%08X", xid), content);
        return {};
    }

    Result<void> add_origins() {
        BOUGH_ASSIGN(const auto origins, read_origins(branch_, lsn_));
        if (!origins.empty()) archive_.add_file("pg_logical/replorigin_checkpoint", encode_replication_origins(origins));
        return {};
    }

    Result<void> add_relations() {
        BOUGH_ASSIGN(const ForkLengths forks, read_forks(branch_, lsn_));
        for (const auto& [fork, blocks] : forks)
            if (fork.fork == pg::Fork::init) BOUGH_TRY(add_unlogged(fork, blocks));
        archive_.add_file("bough/manifest", encode_manifest(fetched_forks(forks), lsn_));
        return {};
    }

    // Unlogged relations begin as their init forks say: empty.
    Result<void> add_unlogged(const pg::RelationFork& init, std::uint32_t blocks) {
        std::string content(std::size_t{blocks} * pg::kPageBytes, '\0');
        BOUGH_TRY(reader_.read(branch_, init, 0, std::as_writable_bytes(std::span(content)), lsn_));
        const std::string directory = database_directory(init.relation.tablespace, init.relation.database) + "/";
        archive_.add_file(directory + relation_file_name(init.relation.number, pg::Fork::init), content);
        archive_.add_file(directory + relation_file_name(init.relation.number, pg::Fork::main), content);
        return {};
    }

    const Branch& branch_;
    const ProjectRow& project_;
    PageReader& reader_;
    const Lsn lsn_;
    const pg::v15::ControlFile control_;
    tar::Writer archive_;
};

}  // namespace

Result<std::string> make_basebackup(const Branch& branch, const ProjectRow& project, PageReader& reader, Lsn lsn) {
    BOUGH_CHECK(branch.readable_at(lsn));
    BOUGH_ASSIGN(const auto control, pg::v15::ControlFile::parse(std::as_bytes(std::span(project.control_file))));
    return Basebackup(branch, project, reader, lsn, control).make();
}

}  // namespace bough::pageserver
