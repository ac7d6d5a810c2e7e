#include "pg/testing/stock_server.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace bough::pg::testing {
namespace fs = std::filesystem;
namespace {

const passwd& server_user() {
    const passwd* user = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());
    if (user == nullptr) throw std::runtime_error("no user to run Postgres as");
    return *user;
}

std::string shell_word(std::string_view text) {
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

}  // namespace

StockServer::StockServer(std::string_view settings, std::string_view initdb_options) {
    std::string pattern = (fs::temp_directory_path() / "bough-pg-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = pattern;
    const passwd& user = server_user();
    if (chown(root_.c_str(), user.pw_uid, user.pw_gid) != 0) throw std::runtime_error("cannot hand over the temporary directory");
    run("initdb",
        fmt::format("-D {} -U postgres -A trust -N --locale=C -E UTF8 {}", shell_word(data().string()), initdb_options));
    std::ofstream(data() / "postgresql.conf", std::ios::app)
        << "listen_addresses = ''\nunix_socket_directories = '" << root_.string() << "'\nfsync = off\nshared_buffers = 16MB\n"
        << settings << "\n";
}

StockServer::~StockServer() {
    try {
        if (running_) stop("immediate");
    } catch (const std::exception& e) {
        std::fprintf(stderr, "stopping the test's server: %s\n", e.what());
    }
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

void StockServer::start() {
    run("pg_ctl", fmt::format("start -w -D {} -l {}", shell_word(data().string()), shell_word((root_ / "log").string())), true);
    if (run("pg_ctl", fmt::format("status -D {}", shell_word(data().string())), true).find("server is running") ==
        std::string::npos)
        throw std::runtime_error("the server does not start:\n" + read_file(root_ / "log"));
    running_ = true;
}

void StockServer::stop(std::string_view mode) {
    run("pg_ctl", fmt::format("stop -w -D {} -m {}", shell_word(data().string()), mode));
    running_ = false;
}

std::string StockServer::sql(std::string_view statements, std::string_view database) {
    const auto file = root_ / "statements.sql";
    write_file(file, statements);
    return run("psql", fmt::format("-X -A -t -q -v ON_ERROR_STOP=1 -h {} -U postgres -d {} -f {}", shell_word(root_.string()),
                                   shell_word(database), shell_word(file.string())));
}

std::string StockServer::run(std::string_view program, std::string_view arguments, bool may_fail) {
    std::string command = fmt::format("{}/{} {}", BOUGH_PG_BINDIR, program, arguments);
    if (geteuid() == 0) command = "setpriv --reuid=postgres --regid=postgres --clear-groups " + command;
    return shell("cd / && " + command, may_fail);
}

std::string StockServer::shell(const std::string& command, bool may_fail) {
    // Output goes through a file: a server that pg_ctl leaves behind would hold a pipe open.
    const auto output = root_ / "output";
    const int status = std::system(fmt::format("({}) > {} 2>&1 < /dev/null", command, shell_word(output.string())).c_str());
    std::string text = read_file(output);
    if (status != 0 && !may_fail) throw std::runtime_error(command + "\n" + text);
    return text;
}

void StockServer::write_file(const fs::path& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    const passwd& user = server_user();
    if (chown(path.c_str(), user.pw_uid, user.pw_gid) != 0) throw std::runtime_error("cannot hand over " + path.string());
}

void StockServer::make_directory(const fs::path& path) {
    fs::create_directory(path);
    const passwd& user = server_user();
    if (chown(path.c_str(), user.pw_uid, user.pw_gid) != 0) throw std::runtime_error("cannot hand over " + path.string());
}

std::string StockServer::read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::byte> StockServer::wal(std::string_view segment_name) const {
    const std::string text = read_file(data() / "pg_wal" / segment_name);
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    return {bytes, bytes + text.size()};
}

}  // namespace bough::pg::testing
