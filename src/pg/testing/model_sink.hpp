// A ChangeSink that keeps what it is told in memory, and the same state read from a data directory: tests compare the two.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "pg/change.hpp"

namespace bough::pg::testing {

using PageBytes = std::array<std::byte, kPageBytes>;

struct ModelState {
    std::map<RelationFork, std::uint32_t> lengths;  // of main, visibility and init forks
    std::map<PageTag, PageBytes> visibility;
    std::map<PageTag, PageBytes> free_space;
    std::map<std::pair<Slru, std::uint32_t>, PageBytes> slru;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> relation_maps;  // by (tablespace, database)
    std::set<std::pair<std::uint32_t, std::uint32_t>> databases;
    std::map<std::uint32_t, std::string> tablespaces;
    std::map<std::uint32_t, std::string> two_phase;

    // Everything in the data directory of a server that is shut down, but temporary relations.
    static ModelState load(const std::filesystem::path& data);
};

class ModelSink : public ChangeSink {
public:
    explicit ModelSink(ModelState initial) : state(std::move(initial)) {}

    void record(Lsn start, Lsn end) override;
    void page_image(const PageTag& tag, ConstPage page) override;
    void page_record(const PageTag& tag, PageBase base, std::span<const std::byte> record_bytes) override;
    void page_edit(const PageTag& tag, bool may_grow, std::string_view edit) override;
    void fork_create(const RelationFork& fork) override;
    void fork_truncate(const RelationFork& fork, std::uint32_t blocks) override;
    void relation_drop(const Relation& relation) override;
    void database_create(std::uint32_t tablespace, std::uint32_t database) override;
    void database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                       std::uint32_t database) override;
    void database_drop(std::uint32_t tablespace, std::uint32_t database) override;
    void relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) override;
    void tablespace_create(std::uint32_t oid, std::string_view path) override;
    void tablespace_drop(std::uint32_t oid) override;
    void slru_zero_page(Slru slru, std::uint32_t page) override;
    void slru_edit(Slru slru, std::uint32_t page, std::string_view edit) override;
    void slru_drop_segments(Slru slru, const SegmentPredicate& drop) override;
    void two_phase_prepare(std::uint32_t xid, std::string_view state_file) override;
    void two_phase_finish(std::uint32_t xid) override;
    void replication_origin(std::uint16_t origin, std::optional<Lsn> remote) override;
    void commit(std::int64_t commit_time) override;
    void counters(const Counters& counters) override;
    void parameters(const Parameters& parameters) override;

    ModelState state;
    std::map<PageTag, PageBytes> images;  // of pages that no record changed since
    std::map<std::uint16_t, Lsn> origins;
    std::vector<std::int64_t> commits;
    std::size_t page_records = 0;
    std::size_t page_images = 0;
    std::size_t page_edits = 0;
    Counters last_counters;
    Parameters last_parameters;

private:
    void grow(const PageTag& tag);
    void drop_database(std::uint32_t tablespace, std::uint32_t database);
    std::map<PageTag, PageBytes>* map_pages(Fork fork);

    Lsn end_;
};

}  // namespace bough::pg::testing
