// bough-safekeeper: keeps the WAL of branches, as one member of a quorum.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <random>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/notify.hpp"
#include "files/files.hpp"
#include "http/server.hpp"
#include "safekeeper/admin/api.hpp"
#include "safekeeper/branch/branch_set.hpp"
#include "safekeeper/data_directory.hpp"
#include "safekeeper/exchange/position_exchange.hpp"
#include "safekeeper/serve/wal_listener.hpp"

namespace bough::safekeeper {
namespace {

struct Options {
    std::string name;
    std::filesystem::path data_dir;
    std::string admin;
    std::string wal_listen;
    std::string token_file;
    unsigned reserve_step_ms = 0;
    bool send_when_answered = false;
    RetentionSettings retention;
    std::string log_level = "info";
};

// Requests that wait for a catch-up hold a thread each; votes must get one all the same.
constexpr std::size_t kAdminThreads = 32;

std::string random_id() {
    std::random_device random;
    char text[33];
    std::snprintf(text, sizeof text, "%08x%08x%08x%08x", random(), random(), random(), random());
    return text;
}

Result<std::string> read_token(const std::string& path) {
    if (path.empty()) return std::string();
    BOUGH_ASSIGN(std::string token, files::read(path));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (token.empty()) return Error{ErrorCode::invalid_argument, "the token file \"" + path + "\" is empty", {}};
    return token;
}

// It becomes a part of application_name, which synchronous_standby_names lists.
Result<void> check_name(const std::string& name) {
    bool good = !name.empty() && name.size() <= 40;
    for (char c : name) good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    if (good) return {};
    return Error{ErrorCode::invalid_argument, "invalid safekeeper name \"" + name + "\"",
                 "a name is 1 to 40 characters of a-z, 0-9 and '_'"};
}

Result<void> run(const Options& options, const sigset_t& signals) {
    BOUGH_TRY(check_name(options.name));
    BOUGH_ASSIGN(auto admin_address, net::Address::parse(options.admin));
    if (!admin_address.is_unix())
        return Error{ErrorCode::unsupported, "the admin interface would listen on " + options.admin, "only Unix sockets are served"};
    serve::WalListenerOptions wal;
    BOUGH_ASSIGN(wal.address, net::Address::parse(options.wal_listen));
    BOUGH_ASSIGN(wal.token, read_token(options.token_file));
    std::error_code failed;
    auto data_dir = std::filesystem::absolute(options.data_dir, failed);
    BOUGH_ASSIGN(const auto directory, open_data_directory(data_dir));

    // What comes later uses what came before, and ends first.
    exchange::PositionExchange exchange(admin_address.to_string());
    BOUGH_ASSIGN(const auto branches, BranchSet::open({data_dir, options.name, admin_address.to_string(),
                                                       {std::chrono::milliseconds(options.reserve_step_ms), options.send_when_answered},
                                                       options.retention,
                                                       [&exchange](Branch& branch) { exchange.tell_peers(branch); }}));
    BOUGH_ASSIGN(const auto wal_listener, serve::WalListener::start(wal, *branches));
    auto router = admin::make_router({*branches, exchange, *wal_listener, admin_address.to_string(), random_id(), directory.identity});
    http::ServerOptions admin_options;
    admin_options.handler_threads = kAdminThreads;
    exchange.start(*branches);
    // Before the first request: a begin finds its branch where it was.
    branches->start();
    auto admin = http::Server::start(admin_address, [&](const http::Request& request) { return admin::answer(router, directory.identity, request); },
                                     admin_options);
    if (!admin) {
        branches->stop();
        exchange.stop();
        return admin.error();
    }
    spdlog::info("safekeeper {} keeps {} branches in {}", options.name, branches->names().size(), data_dir.string());
    notify_ready();
    int signal = 0;
    ::sigwait(&signals, &signal);
    notify_stopping();
    spdlog::info("safekeeper {} is stopping", options.name);
    // Who waits in a request for a catch-up is answered when its branch stops.
    branches->stop();
    exchange.stop();
    admin->reset();
    return {};
}

}  // namespace
}  // namespace bough::safekeeper

int main(int argc, char** argv) {
    using namespace bough;
    safekeeper::Options options;
    CLI::App app{"bough-safekeeper: keeps the WAL of branches, as one member of a quorum"};
    app.set_version_flag("--version", BOUGH_VERSION);
    app.add_option("--name,--id", options.name, "Its name; computes know it as the standby bough_NAME")->required();
    app.add_option("--data-dir", options.data_dir, "Directory of all it keeps; made if missing")->required();
    app.add_option("--admin", options.admin, "Address of the admin HTTP: unix:/path")->required();
    app.add_option("--wal-listen", options.wal_listen,
                   "Address of the WAL service: unix:DIR/.s.PGSQL.PORT (so host=DIR port=PORT reaches it), or loopback host:port")
        ->required();
    app.add_option("--token-file", options.token_file, "File with the token that TCP clients must give as password");
    app.add_option("--reserve-step", options.reserve_step_ms,
                   "How many milliseconds of WAL it takes in one step where the other safekeepers of a branch are a majority "
                   "without it and "
                   "keep up; 0: it never lets WAL gather. For safekeepers that share a machine")
        ->capture_default_str()
        ->check(CLI::Range(0, 100));
    app.add_flag("--send-when-answered", options.send_when_answered,
                 "Has computes send it a little WAL only when it has answered what came before: less CPU, and where there is a way between "
                 "them a little later. For safekeepers that share a machine with them");
    app.add_option("--peer-wal-max", options.retention.peer_wal_bytes_max,
                   "How much WAL of a branch is kept for other safekeepers that are behind, in bytes or with a unit (512MB)")
        ->capture_default_str()
        ->transform(CLI::AsSizeValue(false));
    app.add_option("--wal-keep-size", options.retention.wal_keep_bytes,
                   "How much WAL of a branch is kept although nothing of Bough needs it, in bytes or with a unit (512MB)")
        ->capture_default_str()
        ->transform(CLI::AsSizeValue(false));
    app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
        ->capture_default_str()
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
    CLI11_PARSE(app, argc, argv);

    spdlog::set_default_logger(spdlog::stderr_logger_mt("safekeeper"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n %v");
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    // Blocked before any thread starts, so that only run() takes them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    const auto result = safekeeper::run(options, signals);
    if (!result) {
        std::cerr << "bough-safekeeper: " << result.error().message << "\n";
        if (!result.error().hint.empty()) std::cerr << "hint: " << result.error().hint << "\n";
        return 1;
    }
    return 0;
}
