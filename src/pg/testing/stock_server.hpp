// A stock Postgres server in a temporary directory, for tests that compare with what it does.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bough::pg::testing {

// Made by initdb (as user postgres when the test runs as root: Postgres refuses root), not yet started; stopped and removed
// in the end. Listens on a Unix socket in its directory only. What goes wrong throws std::runtime_error with the program's
// output: tests only.
class StockServer {
public:
    // `settings` are lines of postgresql.conf.
    explicit StockServer(std::string_view settings = {}, std::string_view initdb_options = {});
    ~StockServer();
    StockServer(const StockServer&) = delete;
    StockServer& operator=(const StockServer&) = delete;

    void start();
    void stop(std::string_view mode = "fast");
    bool running() const { return running_; }

    // Runs SQL in psql (-X -A -t, one string of statements; several -c would each be a transaction) and gives what it prints.
    std::string sql(std::string_view statements, std::string_view database = "postgres");

    // Runs a program of Postgres's bin directory with these shell arguments; gives standard output and error together.
    // A failing status throws unless `may_fail`.
    std::string run(std::string_view program, std::string_view arguments, bool may_fail = false);

    const std::filesystem::path& root() const { return root_; }  // writable by the server
    std::filesystem::path data() const { return root_ / "data"; }
    // Writes a file that the server can read.
    void write_file(const std::filesystem::path& path, std::string_view content);
    void make_directory(const std::filesystem::path& path);
    static std::string read_file(const std::filesystem::path& path);
    // A WAL segment of timeline 1.
    std::vector<std::byte> wal(std::string_view segment_name) const;

private:
    std::string shell(const std::string& command, bool may_fail = false);

    std::filesystem::path root_;
    bool running_ = false;
};

}  // namespace bough::pg::testing
