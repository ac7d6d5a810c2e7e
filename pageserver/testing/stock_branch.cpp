#include "pageserver/testing/stock_branch.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "files/files.hpp"
#include "pageserver/import/import_cluster.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/wal_segment.hpp"

namespace bough::pageserver::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kSegmentBytes = 16u << 20;
constexpr std::size_t kMessageBytes = 128 << 10;

}  // namespace

StockLog::StockLog(Branch& branch, PageReader& reader, fs::path segments)
    : segments_(std::move(segments)), ingest_(must(Ingest::begin(branch, reader, {}))) {}

bool StockLog::feed(std::size_t bytes) {
    const auto next = ingest_->next_lsn();
    const std::size_t at = next.value % kSegmentBytes;
    if (!segment_.is_open() || at == 0) {
        segment_ =
            std::ifstream(segments_ / pg::wal_segment_name(pg::segment_of(next, kSegmentBytes), kSegmentBytes), std::ios::binary);
        if (!segment_.seekg(static_cast<std::streamoff>(at))) return false;
    }
    piece_.resize(std::min<std::size_t>(bytes, kSegmentBytes - at));
    if (!segment_.read(piece_.data(), static_cast<std::streamsize>(piece_.size())))
        throw std::runtime_error("a WAL segment is cut short");
    const bool fed = ingest_->feed(std::as_bytes(std::span(piece_))).has_value();
    must(ingest_->commit());
    return fed;  // if not, it is what a recycled segment has after the log's end
}

void ingest_stock_log(Branch& branch, PageReader& reader, const fs::path& segments, Lsn end) {
    StockLog log(branch, reader, segments);
    while (log.feed(kMessageBytes)) continue;
    if (branch.ingest_lsn() < end)
        throw std::runtime_error("the log ends at " + branch.ingest_lsn().to_string() + ", before " + end.to_string());
}

std::vector<std::byte> control_file_of(const fs::path& cluster) {
    const std::string control = must(files::read(cluster / "global" / "pg_control"));
    const auto bytes = std::as_bytes(std::span(control));
    return {bytes.begin(), bytes.end()};
}

void keep_as_initial(pg::testing::StockServer& server, const fs::path& initial) {
    fs::copy(server.data(), initial, fs::copy_options::recursive);
    const auto control = must(pg::v15::ControlFile::parse(control_file_of(initial)));
    auto segment = pg::segment_of(control.checkpoint_lsn(), kSegmentBytes);
    ++segment.value;
    // It begins after the last file there is, and some are there for WAL to come.
    for (const auto& file : fs::directory_iterator(server.data() / "pg_wal"))
        if (file.is_regular_file() && file.path().filename() >= pg::wal_segment_name(segment, kSegmentBytes))
            fs::remove(file.path());
    server.run("pg_resetwal", "-l " + pg::wal_segment_name(segment, kSegmentBytes) + " -D " + server.data().string());
}

Lsn end_of_log(pg::testing::StockServer& server) {
    std::string text = server.sql("select pg_current_wal_insert_lsn()");
    // With this commit, whose record comes after, all before is in the files.
    server.sql("set synchronous_commit = on; create table end_of_log ()");
    text.erase(text.find('\n'));
    return Lsn::parse(text).value();
}

void import_stock_cluster(const fs::path& initial, const fs::path& data, StoreResources& resources, const std::string& project) {
    fs::create_directories(data);
    const auto projects = must(Projects::open(data, resources));
    must(projects->create(*ProjectId::parse(project), [&](const fs::path& directory) {
        const auto parsed = must(pg::v15::ControlFile::parse(control_file_of(initial)));
        const std::string text = must(files::read(initial / "global" / "pg_control"));
        return import_cluster({initial, text}, parsed.system_id(), *BranchId::parse(kStockBranch), directory, resources);
    }));
}

void make_stock_branch(const fs::path& initial, const fs::path& killed, Lsn end, const fs::path& data,
                       StoreResources& resources) {
    import_stock_cluster(initial, data, resources);
    const auto projects = must(Projects::open(data, resources));
    PoolUnderTest pool(control_file_of(initial), [](RedoPoolOptions& o) { o.engine = RedoEngine::both; });
    PooledRedo redo(pool.pool());
    PageReaderMetrics metrics;
    PageReader reader(redo, metrics);
    const auto branch = stock_branch(*projects);
    ingest_stock_log(*branch, reader, killed / "pg_wal", end);
    must(branch->store().flush());
}

std::shared_ptr<Branch> stock_branch(Projects& projects) {
    return must(projects.branch(*ProjectId::parse(kStockProject), *BranchId::parse(kStockBranch)));
}

}  // namespace bough::pageserver::testing
