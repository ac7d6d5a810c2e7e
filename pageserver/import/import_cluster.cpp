#include "pageserver/import/import_cluster.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>
#include <utility>

#include "bough/check.hpp"
#include "files/files.hpp"
#include "pageserver/branching/project.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/import/relation_file_name.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pg/v15/control_file.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;

constexpr BranchNumber kRootNumber{1};
constexpr std::uint32_t kDefaultTablespace = 1663;
constexpr std::uint32_t kGlobalTablespace = 1664;
constexpr std::uint32_t kSlruPagesPerSegment = 32;
constexpr std::size_t kBatchBytes = 1 << 20;

Result<std::vector<fs::path>> list_directory(const fs::path& directory) {
    std::vector<fs::path> paths;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(directory, failed)) paths.push_back(entry.path());
    if (failed) return io_error("could not read \"" + directory.string() + "\"", failed.value());
    return paths;
}

std::optional<std::uint32_t> parse_number(std::string_view text, int base) {
    std::uint32_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

class Importer {
public:
    Importer(Store& store, Lsn at) : store_(store), at_(at) {}

    Result<void> import_files(const fs::path& cluster) {
        BOUGH_TRY(import_relations(cluster / "global", kGlobalTablespace, 0));
        BOUGH_ASSIGN(const auto databases, list_directory(cluster / "base"));
        for (const fs::path& directory : databases) {
            const auto database = parse_number(directory.filename().string(), 10);
            if (!database) continue;
            put(ObjectKey::database_entry(kDefaultTablespace, *database), encode_present({}));
            BOUGH_TRY(import_relations(directory, kDefaultTablespace, *database));
        }
        BOUGH_TRY(import_slru(cluster / "pg_xact", pg::Slru::xact));
        BOUGH_TRY(import_slru(cluster / "pg_multixact" / "offsets", pg::Slru::multixact_offsets));
        BOUGH_TRY(import_slru(cluster / "pg_multixact" / "members", pg::Slru::multixact_members));
        return import_slru(cluster / "pg_commit_ts", pg::Slru::commit_ts);
    }

    void put(const ObjectKey& object, std::string_view value) { set_.put(kRootNumber, object, at_, value); }

    Result<void> finish(LogPosition position) {
        set_.set_position(kRootNumber, position);
        BOUGH_TRY(store_.write(std::exchange(set_, WriteSet())));
        return store_.flush();
    }

private:
    Result<void> import_relations(const fs::path& directory, std::uint32_t tablespace, std::uint32_t database) {
        BOUGH_ASSIGN(const std::string map, files::read(directory / "pg_filenode.map"));
        put(ObjectKey::relation_map(tablespace, database), encode_present(map));

        BOUGH_ASSIGN(const auto paths, list_directory(directory));
        std::map<pg::RelationFork, std::uint32_t> lengths;
        for (const fs::path& path : paths) {
            const auto name = parse_relation_file_name(path.filename().string());
            if (!name) continue;
            const pg::RelationFork fork{{tablespace, database, name->relation}, name->fork};
            const std::uint32_t first = name->segment * kSegmentBlocks;
            BOUGH_ASSIGN(const std::uint32_t blocks, import_pages(path, ObjectKey::page({fork, first})));
            std::uint32_t& length = lengths[fork];
            length = std::max(length, first + blocks);
        }
        for (const auto& [fork, length] : lengths) put(ObjectKey::fork_length(fork), encode_length(length));
        return {};
    }

    Result<void> import_slru(const fs::path& directory, pg::Slru slru) {
        BOUGH_ASSIGN(const auto paths, list_directory(directory));
        for (const fs::path& path : paths) {
            const auto segment = parse_number(path.filename().string(), 16);
            if (!segment) continue;
            BOUGH_ASSIGN(const std::uint32_t pages,
                         import_pages(path, ObjectKey::slru_page(slru, *segment * kSlruPagesPerSegment)));
            put(ObjectKey::slru_segment(slru, *segment), encode_length(pages));
        }
        return {};
    }

    // Returns the number of pages.
    Result<std::uint32_t> import_pages(const fs::path& path, ObjectKey object) {
        BOUGH_ASSIGN(const std::string content, files::read(path));
        if (content.size() % pg::kPageBytes != 0)
            return Error{ErrorCode::corrupt, "\"" + path.string() + "\" is not a whole number of pages", {}};
        const auto bytes = std::as_bytes(std::span(content));
        const auto pages = static_cast<std::uint32_t>(content.size() / pg::kPageBytes);
        for (std::uint32_t i = 0; i < pages; ++i, ++object.block) {
            put(object, encode_image(bytes.subspan(std::size_t{i} * pg::kPageBytes).first<pg::kPageBytes>()));
            if (set_.bytes() >= kBatchBytes) BOUGH_TRY(store_.write(std::exchange(set_, WriteSet())));
        }
        return pages;
    }

    Store& store_;
    const Lsn at_;
    WriteSet set_;
};

}  // namespace

Result<void> import_cluster(const ClusterTemplate& source, SystemId system_id, const BranchId& root_branch,
                            const fs::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(const auto control, pg::v15::ControlFile::parse(std::as_bytes(std::span(source.control_file))));
    const std::uint64_t segment_bytes = control.wal_segment_bytes();
    const LogPosition start{Lsn{(control.checkpoint_lsn().value / segment_bytes + 1) * segment_bytes}, Lsn{}};

    BOUGH_ASSIGN(const std::unique_ptr<Store> store, Store::create(Project::store_path(directory), resources));
    Importer importer(*store, start.lsn);
    BOUGH_TRY(importer.import_files(source.directory));
    importer.put(ObjectKey::single(Kind::counters), encode_counters(control.counters()));
    importer.put(ObjectKey::single(Kind::parameters), encode_parameters(control.parameters()));
    BOUGH_TRY(importer.finish(start));

    const std::int64_t now = now_in_postgres_time();
    const ProjectRow project{system_id, now, control.data_checksum_version() != 0, source.control_file};
    const BranchRow root{root_branch, kRootNumber, std::nullopt, start, now};
    return store->change_metadata({
        {kProjectRowName, encode_project_row(project)},
        {kBranchRowPrefix + root_branch.str(), encode_branch_row(root)},
        {kNextBranchRowName, encode_branch_number(BranchNumber{kRootNumber.value + 1})},
    });
}

}  // namespace bough::pageserver
