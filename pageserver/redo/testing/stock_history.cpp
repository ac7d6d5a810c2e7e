#include "pageserver/redo/testing/stock_history.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

#include "pg/bytes.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/v15/record.hpp"
#include "pg/wal_segment.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pageserver::testing {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kSegmentBytes = 16u << 20;
constexpr std::uint32_t kDefaultTablespace = 1663, kGlobalTablespace = 1664;
constexpr std::uint8_t kStorageManagerRecords = 2, kTruncateOperation = 0x20;

constexpr const char* kSettings = R"(
full_page_writes = off
wal_level = replica
max_wal_size = 8GB
wal_keep_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
synchronous_commit = off
max_prepared_transactions = 5
)";

std::vector<std::byte> read_bytes(const fs::path& path) {
    const std::string text = pg::testing::StockServer::read_file(path);
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return std::move(*result);
}

fs::path fork_path(const fs::path& data, const pg::RelationFork& fork) {
    static constexpr const char* kSuffixes[] = {"", "_fsm", "_vm", "_init"};
    const pg::Relation& r = fork.relation;
    const std::string name = std::to_string(r.number) + kSuffixes[static_cast<std::size_t>(fork.fork)];
    return r.tablespace == kGlobalTablespace ? data / "global" / name : data / "base" / std::to_string(r.database) / name;
}

bool read_page(const fs::path& data, const pg::PageTag& tag, pg::Page page) {
    std::ifstream file(fork_path(data, tag.fork), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(std::uint64_t{tag.block} * pg::kPageBytes));
    return static_cast<bool>(file.read(reinterpret_cast<char*>(page.data()), pg::kPageBytes));
}

bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

StockHistory::StockHistory(const HistoryOptions& options)
    : server_(kSettings, options.initdb_options), keep_whole_(options.keep_whole) {
    base_ = server_.root() / "before";
    server_.start();
    if (!options.before.empty()) server_.sql(options.before);
    server_.stop();

    fs::create_directories(base_);
    fs::copy(server_.data() / "base", base_ / "base", fs::copy_options::recursive);
    fs::copy(server_.data() / "global", base_ / "global", fs::copy_options::recursive);
    control_file_ = read_bytes(base_ / "global" / "pg_control");
    const Lsn begin = must(pg::v15::ControlFile::parse(control_file_)).checkpoint_lsn();

    server_.start();
    if (!options.workload.empty()) server_.sql(options.workload);
    if (options.work) options.work(server_);
    server_.stop();
    read_log(begin);
}

void StockHistory::read_log(Lsn begin) {
    const Lsn last = must(pg::v15::ControlFile::parse(read_bytes(server_.data() / "global" / "pg_control"))).checkpoint_lsn();
    pg::WalStream stream({kSegmentBytes, std::nullopt}, begin);
    pg::SegmentNumber segment = pg::segment_of(begin, kSegmentBytes);
    std::size_t skip = begin - pg::segment_begin(segment, kSegmentBytes);
    std::string buffer;

    while (stream.last_record_start() < last) {
        const auto wal = must(stream.next());
        if (!wal) {
            const auto bytes = server_.wal(pg::wal_segment_name(segment, kSegmentBytes));
            if (bytes.size() != kSegmentBytes) throw std::runtime_error("a WAL segment is gone");
            stream.feed(std::span(bytes).subspan(skip));
            segment.value++;
            skip = 0;
            continue;
        }
        pg::v15::Record record;
        if (const auto decoded = record.decode(*wal); !decoded) throw std::runtime_error(decoded.error().to_string());
        if (record.resource_manager() == kStorageManagerRecords && record.operation() == kTruncateOperation) {
            // xl_smgr_truncate: block, relation, flags
            const std::byte* data = record.main_data().data();
            const auto block = pg::load<std::uint32_t>(data);
            const pg::Relation relation{pg::load<std::uint32_t>(data + 4), pg::load<std::uint32_t>(data + 8),
                                        pg::load<std::uint32_t>(data + 12)};
            forget_from({relation, pg::Fork::main}, block);
        }
        std::shared_ptr<const std::vector<std::byte>> whole;
        for (const pg::v15::BlockReference& block : record.blocks()) {
            const bool main = block.tag.fork.fork == pg::Fork::main;
            if (!main && block.tag.fork.fork != pg::Fork::visibility) continue;
            if (!whole && keep_whole_)
                whole = std::make_shared<std::vector<std::byte>>(record.bytes().begin(), record.bytes().end());
            const auto for_page = pg::v15::record_for_page(record, block, true, buffer);
            add(main ? pages_ : visibility_pages_, block.tag,
                {wal->start, wal->end, record.resource_manager(), whole, {for_page.begin(), for_page.end()}});
        }
    }
}

void StockHistory::add(std::map<pg::PageTag, PageHistory>& pages, const pg::PageTag& tag, HistoryRecord record) {
    auto [page, is_new] = pages.try_emplace(tag);
    PageHistory& history = page->second;
    if (is_new) {
        history.base.resize(pg::kPageBytes);
        const auto cut = cut_.find(tag.fork);
        history.has_base =
            (cut == cut_.end() || tag.block < cut->second) && base_page(tag, pg::Page(history.base.data(), pg::kPageBytes));
    }
    history.records.push_back(std::move(record));
}

void StockHistory::forget_from(const pg::RelationFork& fork, std::uint32_t block) {
    // What comes back at such a block begins from zeros, whatever was there before.
    const auto [cut, is_new] = cut_.try_emplace(fork, block);
    cut->second = std::min(cut->second, block);
    for (auto page = pages_.lower_bound({fork, block}); page != pages_.end() && page->first.fork == fork; ++page)
        page->second = PageHistory{false, std::vector<std::byte>(pg::kPageBytes), {}};
}

void StockHistory::for_each_final_page(const std::function<void(const pg::PageTag&, pg::ConstPage)>& visit) const {
    const auto visit_directory = [&](const fs::path& directory, std::uint32_t tablespace, std::uint32_t database) {
        for (const auto& entry : fs::directory_iterator(directory)) {
            const std::string name = entry.path().filename().string();
            // Unlogged relations are not in the log.
            if (!is_number(name) || fs::exists(directory / (name + "_init"))) continue;
            const auto content = read_bytes(entry.path());
            const pg::Relation relation{tablespace, database, static_cast<std::uint32_t>(std::stoul(name))};
            for (std::size_t at = 0; at + pg::kPageBytes <= content.size(); at += pg::kPageBytes)
                visit({{relation, pg::Fork::main}, static_cast<std::uint32_t>(at / pg::kPageBytes)},
                      pg::ConstPage(content.data() + at, pg::kPageBytes));
        }
    };
    visit_directory(server_.data() / "global", kGlobalTablespace, 0);
    for (const auto& database : fs::directory_iterator(server_.data() / "base"))
        if (const std::string name = database.path().filename().string(); is_number(name))
            visit_directory(database.path(), kDefaultTablespace, static_cast<std::uint32_t>(std::stoul(name)));
}

bool StockHistory::final_page(const pg::PageTag& tag, pg::Page page) const { return read_page(server_.data(), tag, page); }
bool StockHistory::base_page(const pg::PageTag& tag, pg::Page page) const { return read_page(base_, tag, page); }

}  // namespace bough::pageserver::testing
