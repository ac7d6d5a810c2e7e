// The history of a stock server, page by page: the files before a workload, the WAL of it, the files after a clean shutdown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bough/lsn.hpp"
#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pageserver::testing {

struct HistoryRecord {
    Lsn start;
    Lsn end;
    std::uint8_t resource_manager = 0;
    std::shared_ptr<const std::vector<std::byte>> whole;  // as in the log; shared between the pages it changes
    std::vector<std::byte> for_page;                      // without the images of other blocks
};

struct PageHistory {
    bool has_base = false;
    std::vector<std::byte> base;  // pg::kPageBytes if has_base
    std::vector<HistoryRecord> records;
};

struct HistoryOptions {
    std::string initdb_options;
    std::string before;                                     // SQL
    std::string workload;                                   // SQL, in database postgres
    std::function<void(pg::testing::StockServer&)> work{};  // after that, if given; the server runs before and after it
    bool keep_whole = true;                                 // HistoryRecord::whole, which doubles the memory
};

// Holds everything in memory: for workloads of some hundred megabytes of WAL at most. Throws std::runtime_error.
class StockHistory {
public:
    explicit StockHistory(const HistoryOptions& options);

    // Pages of main forks that the workload's records refer to, without those dropped or cut off later.
    const std::map<pg::PageTag, PageHistory>& pages() const { return pages_; }
    // Pages of visibility maps, with the records that set bits. Clearing is not told by block references, so the log has more
    // to say of them than this. Only of relations that were not dropped.
    const std::map<pg::PageTag, PageHistory>& visibility_pages() const { return visibility_pages_; }
    const std::vector<std::byte>& control_file() const { return control_file_; }

    // Every block of every main fork there is at the end, as the server left it on disk.
    void for_each_final_page(const std::function<void(const pg::PageTag&, pg::ConstPage)>& visit) const;
    // One page of any fork as the server left it; false if there is none.
    bool final_page(const pg::PageTag& tag, pg::Page page) const;
    // The same before the workload; false if there was none.
    bool base_page(const pg::PageTag& tag, pg::Page page) const;

    pg::testing::StockServer& server() { return server_; }

private:
    void read_log(Lsn begin);
    void add(std::map<pg::PageTag, PageHistory>& pages, const pg::PageTag& tag, HistoryRecord record);
    void forget_from(const pg::RelationFork& fork, std::uint32_t block);

    pg::testing::StockServer server_;
    bool keep_whole_;
    std::filesystem::path base_;
    std::map<pg::PageTag, PageHistory> pages_;
    std::map<pg::PageTag, PageHistory> visibility_pages_;
    std::map<pg::RelationFork, std::uint32_t> cut_;  // the least length a fork was ever cut to
    std::vector<std::byte> control_file_;
};

}  // namespace bough::pageserver::testing
