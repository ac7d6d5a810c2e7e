// bough-control: the catalog, the API and the computes of one system.
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <thread>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "base/notify.hpp"
#include "control/api/api.hpp"
#include "control/branching/names.hpp"
#include "control/membership/membership_changes.hpp"
#include "control/storage/wal_retention.hpp"
#include "files/files.hpp"
#include "http/server.hpp"

namespace bough::control {
namespace {

constexpr std::chrono::seconds kStopTimeout{50};

struct Options {
    std::string data_dir;
    std::string compute_dir;
    std::string log_dir;
    std::string socket_dir;
    std::string api = "127.0.0.1:8432";
    std::string api_key_file;
    std::uint16_t sql_port = 55432;
    std::string pageserver_admin;
    std::string pageserver;
    std::vector<std::string> safekeepers;
    std::string bindir = "/usr/lib/postgresql/15/bin";
    std::string extension;
    std::string log_level = "info";
};

// "name=sk1,admin=unix:/run/sk1-admin.sock,wal=host=/run port=1"
Result<SafekeeperAddress> parse_safekeeper(const std::string& text) {
    auto bad = [&] {
        return Error{ErrorCode::invalid_argument, "invalid --safekeeper \"" + text + "\"",
                     "write it as name=NAME,admin=ADDRESS,wal=CONNINFO"};
    };
    auto admin_at = text.find(",admin="), wal_at = text.find(",wal=");
    if (!text.starts_with("name=") || admin_at == std::string::npos || wal_at == std::string::npos || wal_at < admin_at)
        return bad();
    SafekeeperAddress result;
    result.name = text.substr(5, admin_at - 5);
    BOUGH_ASSIGN(result.admin, net::Address::parse(text.substr(admin_at + 7, wal_at - admin_at - 7)));
    result.wal = text.substr(wal_at + 5);
    if (result.name.empty() || result.wal.empty()) return bad();
    return result;
}

// The key that API clients show; made at the first start.
Result<std::string> api_key(const std::string& path) {
    auto existing = files::read(path);
    if (existing) {
        while (!existing->empty() && existing->back() == '\n') existing->pop_back();
        if (!existing->empty()) return *existing;
    } else if (existing.error().code != ErrorCode::not_found) {
        return existing.error();
    }
    auto key = new_password();
    BOUGH_TRY(files::write_atomically(path, key + "\n"));
    return key;
}

// Until it is asked to stop.
void watch(Catalog& catalog, Computes& computes, Branching& branching, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopping;
    while (!stop.stop_requested()) {
        branching.recover();
        if (const auto flushed = catalog.flush(); !flushed) spdlog::warn("{}", flushed.error().message);
        computes.reconcile();
        std::unique_lock lock(mutex);
        stopping.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    }
}

// A storage daemon that hangs can hold up what is under way for minutes. Ends the process when that is too long: computes that still run
// are taken over by the next one.
void end_at_the_latest_after(std::chrono::seconds time) {
    std::thread([time] {
        std::this_thread::sleep_for(time);
        spdlog::error("control could not stop within {} seconds; computes may still run", time.count());
        ::_exit(1);
    }).detach();
}

// Waits for SIGTERM or SIGINT; in between, watches the computes.
void run_until_signalled(Catalog& catalog, Computes& computes, Branching& branching, const sigset_t& signals) {
    std::jthread watcher([&](const std::stop_token& stop) { watch(catalog, computes, branching, stop); });
    int signal = 0;
    ::sigwait(&signals, &signal);
    end_at_the_latest_after(kStopTimeout);
    notify_stopping();
    spdlog::info("control is stopping");
    computes.stop_all();
}

Result<void> run(const Options& options, const sigset_t& signals) {
    BOUGH_TRY(files::make_directories(options.data_dir));
    BOUGH_ASSIGN(auto lock, files::Lock::take(options.data_dir + "/lock"));
    if (::access((options.bindir + "/postgres").c_str(), X_OK) != 0) {
        return Error{ErrorCode::failed_precondition,
                     "PostgreSQL 15 is not installed: there is no " + options.bindir + "/postgres",
                     "apt-get install postgresql-15, or say where it is with --pg-bindir"};
    }
    if (::access(options.extension.c_str(), R_OK) != 0)
        return Error{ErrorCode::failed_precondition, "cannot read the extension " + options.extension,
                     "name bough.so with --extension"};
    BOUGH_ASSIGN(auto api_address, net::Address::parse(options.api));
    if (!api_address.is_loopback())
        return Error{ErrorCode::unsupported, "the API would listen on " + options.api,
                     "only loopback addresses are served until TLS is"};
    BOUGH_ASSIGN(auto admin, net::Address::parse(options.pageserver_admin));
    std::vector<SafekeeperAddress> safekeepers;
    for (const auto& text : options.safekeepers) {
        BOUGH_ASSIGN(auto safekeeper, parse_safekeeper(text));
        safekeepers.push_back(std::move(safekeeper));
    }
    for (const auto& directory : {options.compute_dir, options.log_dir, options.socket_dir})
        BOUGH_TRY(files::make_directories(directory));
    BOUGH_ASSIGN(auto key, api_key(options.api_key_file));
    BOUGH_ASSIGN(auto catalog, Catalog::open(options.data_dir + "/catalog"));

    Safekeepers known_safekeepers(*catalog);
    BOUGH_TRY(known_safekeepers.introduce(safekeepers));
    PageserverClient pageserver(admin);
    Errands errands(*catalog, known_safekeepers);
    IngestCatchup catchup(*catalog, pageserver, known_safekeepers);
    ComputeOptions compute_options;
    compute_options.bindir = options.bindir;
    compute_options.extension = options.extension;
    compute_options.pageserver = options.pageserver;
    compute_options.directory = options.compute_dir;
    compute_options.log_directory = options.log_dir;
    compute_options.socket_directory = options.socket_dir;
    WalRetention retention(*catalog, pageserver, known_safekeepers);
    Computes computes(compute_options, *catalog, pageserver, known_safekeepers, errands, catchup, retention);
    Branching branching(*catalog, pageserver, known_safekeepers, errands, catchup, computes, options.sql_port);
    computes.adopt();
    MembershipChanges membership(*catalog, known_safekeepers, computes);
    Api api(key, new_password(), *catalog, branching, computes, known_safekeepers, membership, pageserver);
    http::ServerOptions server_options;
    server_options.handler_threads = 16;
    BOUGH_ASSIGN(auto server,
                 http::Server::start(
                     api_address, [&](const http::Request& request) { return api.handle(request); }, server_options));
    spdlog::info("control serves the API on {}", options.api);
    notify_ready();
    membership.start();
    run_until_signalled(*catalog, computes, branching, signals);
    membership.stop();
    return {};
}

}  // namespace
}  // namespace bough::control

int main(int argc, char** argv) {
    using namespace bough;
    control::Options options;
    CLI::App app{"bough-control: the catalog, the API and the computes of a Bough system"};
    app.set_version_flag("--version", BOUGH_VERSION);
    app.add_option("--data-dir", options.data_dir, "Directory of the catalog")->required();
    app.add_option("--compute-dir", options.compute_dir, "Directory of the computes' data directories")->required();
    app.add_option("--log-dir", options.log_dir, "Directory of the computes' logs")->required();
    app.add_option("--socket-dir", options.socket_dir, "Directory of the computes' Unix sockets; mode 0700")->required();
    app.add_option("--api", options.api, "Address of the HTTP API")->capture_default_str();
    app.add_option("--api-key-file", options.api_key_file, "File with the API key; made if missing")->required();
    app.add_option("--sql-port", options.sql_port, "First of the branches' SQL ports")->capture_default_str();
    app.add_option("--pageserver-admin", options.pageserver_admin, "Address of the pageserver's admin HTTP")->required();
    app.add_option("--pageserver", options.pageserver, "Address of the page service")->required();
    app.add_option("--safekeeper", options.safekeepers, "name=NAME,admin=ADDRESS,wal=CONNINFO; once for each")
        ->required()
        ->delimiter('\0');
    app.add_option("--pg-bindir", options.bindir, "Directory of Postgres 15's programs")->capture_default_str();
    app.add_option("--extension", options.extension, "Path of bough.so")->required();
    app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    spdlog::set_default_logger(spdlog::stderr_logger_mt("control"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n %v");
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    // Blocked before any thread starts, so that only run_until_signalled() takes them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    auto result = control::run(options, signals);
    if (!result) {
        std::cerr << "bough-control: " << result.error().message << "\n";
        if (!result.error().hint.empty()) std::cerr << "hint: " << result.error().hint << "\n";
        return 1;
    }
    return 0;
}
