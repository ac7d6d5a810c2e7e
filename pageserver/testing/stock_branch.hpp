// A branch that has the log of a stock server: for benches, which set what Bough makes of it beside what Postgres does.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/projects.hpp"
#include "pageserver/ingest/ingest.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pageserver/read/pooled_redo.hpp"
#include "pageserver/testing/must.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pageserver::testing {

// What clients call it.
inline constexpr const char* kStockProject = "bench";
inline constexpr const char* kStockBranch = "main";

// The control file of a cluster's directory, as redo pools want it.
std::vector<std::byte> control_file_of(const std::filesystem::path& cluster);

// Copies the directory of a server that was shut down to `initial`, and has the server's log begin anew where a branch that is imported
// from there begins.
void keep_as_initial(pg::testing::StockServer& server, const std::filesystem::path& initial);
// Of a server that runs: up to where its log is in its files, with all that was committed.
Lsn end_of_log(pg::testing::StockServer& server);
// A branch's ingest of what a directory has of that log, from where the branch begins. Throws what goes wrong. For one thread.
class StockLog {
public:
    StockLog(Branch& branch, PageReader& reader, std::filesystem::path segments);
    // At most so many bytes of the log become readable pages; false: there are no more.
    bool feed(std::size_t bytes);

private:
    std::filesystem::path segments_;
    std::unique_ptr<Ingest> ingest_;
    std::ifstream segment_;  // which is being read
    std::vector<char> piece_;
};
// All of it, at least up to `end`. Throws what goes wrong.
void ingest_stock_log(Branch& branch, PageReader& reader, const std::filesystem::path& segments, Lsn end);
// Makes the pageserver's directory `data`, if there is none yet, and in it a project whose only branch was imported from `initial`. Throws
// what goes wrong.
void import_stock_cluster(const std::filesystem::path& initial, const std::filesystem::path& data, StoreResources& resources,
                          const std::string& project = kStockProject);
// The same, and the branch has ingested what `killed`, a copy of the server's directory since, has of its log; at least up to `end`.
void make_stock_branch(const std::filesystem::path& initial, const std::filesystem::path& killed, Lsn end,
                       const std::filesystem::path& data, StoreResources& resources);
// The branch of such a directory; keep `projects` as long.
std::shared_ptr<Branch> stock_branch(Projects& projects);

}  // namespace bough::pageserver::testing
