// bough-pageserver: page versions of all branches, made from WAL, read by computes.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <random>

#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "base/notify.hpp"
#include "files/files.hpp"
#include "http/server.hpp"
#include "pageserver/admin/admin_api.hpp"
#include "pageserver/check_command.hpp"
#include "pageserver/data_directory.hpp"
#include "pageserver/read/pooled_redo.hpp"

namespace bough::pageserver {
namespace {

struct Options {
    std::filesystem::path data_dir;
    std::string admin;
    std::vector<std::string> listen;
    std::string token_file;
    std::filesystem::path bindir = BOUGH_PG_BINDIR;
    std::filesystem::path extension;
    unsigned redo_workers = 0;
    std::string redo_engine = "both";
    unsigned threads = 0;
    std::size_t block_cache_mb = 256;
    std::size_t open_layers_mb = 512;
    std::size_t layer_kb = 64 << 10;
    std::size_t chain_steps = PageReader::kChainStepsMax;
    std::size_t page_cache_mb = 128;
    unsigned gc_interval_s = 60;
    unsigned close_after_s = 600;
    std::string log_level = "info";
};

std::string random_id() {
    std::random_device random;
    char text[33];
    std::snprintf(text, sizeof(text), "%08x%08x%08x%08x", random(), random(), random(), random());
    return text;
}

Result<std::string> read_token(const std::string& path) {
    if (path.empty()) return std::string();
    BOUGH_ASSIGN(std::string token, files::read(path));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (token.empty()) return Error{ErrorCode::invalid_argument, "the token file \"" + path + "\" is empty", {}};
    return token;
}

// The library next to this program, unless told otherwise.
Result<std::filesystem::path> find_extension(const Options& options) {
    std::filesystem::path path = options.extension;
    std::error_code failed;
    if (path.empty()) path = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path() / "bough.so";
    path = std::filesystem::absolute(path, failed);
    if (::access(path.c_str(), R_OK) != 0)
        return Error{ErrorCode::failed_precondition, "cannot read the extension \"" + path.string() + "\"",
                     "name bough.so with --extension"};
    return path;
}

Result<void> check_postgres(const std::filesystem::path& bindir) {
    for (const char* program : {"postgres", "initdb"})
        if (::access((bindir / program).c_str(), X_OK) != 0)
            return Error{ErrorCode::failed_precondition, "there is no program \"" + (bindir / program).string() + "\"",
                         "apt-get install postgresql-15, or say where it is with --pg-bindir"};
    return {};
}

Result<PageServiceOptions> page_service_options(const Options& options) {
    PageServiceOptions service;
    for (const std::string& text : options.listen) {
        BOUGH_ASSIGN(const net::Address address, net::Address::parse(text));
        service.listen.push_back(address);
    }
    BOUGH_ASSIGN(service.token, read_token(options.token_file));
    // More than there are cores, since a thread may wait for the disk or for redo.
    service.threads = options.threads != 0 ? options.threads : std::max(4u, 2 * std::thread::hardware_concurrency());
    return service;
}

RedoPoolOptions redo_options(const Options& options, const std::filesystem::path& extension, const ClusterTemplate& cluster) {
    RedoPoolOptions redo;
    redo.postgres_bindir = options.bindir;
    redo.library = extension;
    redo.work_directory = options.data_dir / "redo";
    const auto control = std::as_bytes(std::span(cluster.control_file));
    redo.control_file.assign(control.begin(), control.end());
    redo.workers = options.redo_workers;
    redo.engine = options.redo_engine == "stock" ? RedoEngine::stock : RedoEngine::both;
    return redo;
}

Result<void> run(Options options, const sigset_t& signals) {
    if (::geteuid() == 0)
        return Error{ErrorCode::failed_precondition, "the pageserver does not run as root, since Postgres refuses to",
                     "run it as an unprivileged user"};
    std::error_code failed;
    options.data_dir = std::filesystem::absolute(options.data_dir, failed);
    BOUGH_TRY(check_postgres(options.bindir));
    BOUGH_ASSIGN(const auto extension, find_extension(options));
    BOUGH_ASSIGN(PageServiceOptions service_options, page_service_options(options));
    BOUGH_ASSIGN(const net::Address admin_address, net::Address::parse(options.admin));
    if (!admin_address.is_unix())
        return Error{ErrorCode::unsupported, "the admin interface would listen on " + options.admin,
                     "only Unix sockets are served"};
    BOUGH_ASSIGN(const files::Lock lock, take_data_directory(options.data_dir));
    BOUGH_ASSIGN(const ClusterTemplate cluster, prepare_cluster_template(options.data_dir, options.bindir));

    // What comes later uses what came before, and ends first.
    BOUGH_ASSIGN(const auto pool, RedoPool::start(redo_options(options, extension, cluster)));
    PooledRedo redo(*pool);
    PageReaderMetrics reader_metrics;
    PageReader reader(redo, reader_metrics, options.page_cache_mb << 20, options.chain_steps);
    StoreResources::Options store_options;
    store_options.block_cache_bytes = options.block_cache_mb << 20;
    store_options.open_bytes_max = options.open_layers_mb << 20;
    store_options.layer_bytes = options.layer_kb << 10;
    StoreResources resources(store_options);
    BOUGH_ASSIGN(const auto projects, Projects::open(options.data_dir, resources, std::chrono::seconds(options.close_after_s)));
    BOUGH_ASSIGN(const auto service, PageService::start(std::move(service_options), *projects, reader));
    HotPages hot_pages(reader);
    Followers followers(reader, hot_pages);
    GarbageMetrics garbage_metrics;
    GarbageCollectorOptions garbage_options;
    garbage_options.cutoffs = std::chrono::seconds(options.gc_interval_s);
    garbage_options.erasures = std::min(garbage_options.erasures, garbage_options.cutoffs);
    GarbageCollector garbage(*projects, reader, garbage_metrics, garbage_options);
    std::atomic<bool> stopping = false;
    AdminApi api({resources, options.data_dir / "projects", *projects, followers, garbage, reader, cluster, reader_metrics,
                  service->metrics(), garbage_metrics, &pool->metrics(), stopping, random_id()});
    http::ServerOptions admin_options;
    admin_options.handler_threads = 24;  // several may wait for ingest
    BOUGH_ASSIGN(const auto admin,
                 http::Server::start(
                     admin_address, [&](const http::Request& request) { return api.handle(request); }, admin_options));
    spdlog::info("pageserver serves {} projects of {}", projects->ids().size(), options.data_dir.string());
    notify_ready();
    int signal = 0;
    ::sigwait(&signals, &signal);
    stopping = true;
    garbage.end();
    notify_stopping();
    spdlog::info("pageserver is stopping");
    return {};
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    using namespace bough;
    if (argc > 1 && std::string_view(argv[1]) == "check") return pageserver::check_main(argc - 1, argv + 1);
    pageserver::Options options;
    CLI::App app{"bough-pageserver: page versions of all branches, by (branch, LSN). `bough-pageserver check --help`: whether its files are whole"};
    app.set_version_flag("--version", BOUGH_VERSION);
    app.add_option("--data-dir", options.data_dir, "Directory of all it keeps; made if missing")->required();
    app.add_option("--admin", options.admin, "Address of the admin HTTP: unix:/path")->required();
    app.add_option("--listen", options.listen,
                   "Address of the page service: unix:/path, or loopback host:port; may be given again")
        ->required();
    app.add_option("--token-file", options.token_file, "File with the token that TCP clients must show");
    app.add_option("--pg-bindir", options.bindir, "Directory of Postgres 15's programs")->capture_default_str();
    app.add_option("--extension", options.extension, "Path of bough.so; next to this program if not given");
    app.add_option("--redo-workers", options.redo_workers, "Most redo workers at a time; 0: as many as there are cores")
        ->capture_default_str()
        ->check(CLI::Range(0, 256));
    app.add_option("--redo-engine", options.redo_engine,
                   "stock: workers, which are stock Postgres, redo everything; both: frequent records are redone without them")
        ->capture_default_str()
        ->check(CLI::IsMember({"stock", "both"}));
    app.add_option("--threads", options.threads, "Threads that serve pages; 0: twice the cores, at least 4")
        ->capture_default_str()
        ->check(CLI::Range(0, 1024));
    app.add_option("--block-cache-mb", options.block_cache_mb, "Cache of stored blocks, of all projects together")
        ->capture_default_str()
        ->check(CLI::Range(8, 1 << 20));
    app.add_option("--page-cache-mb", options.page_cache_mb, "Cache of pages as they were made from their versions; 0: none")
        ->capture_default_str()
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("--open-layers-mb", options.open_layers_mb,
                   "Versions kept in memory before they are sealed, of all projects together; beyond it, ingest waits")
        ->capture_default_str()
        ->check(CLI::Range(16, 1 << 20));
    app.add_option("--layer-kb", options.layer_kb, "Versions of one branch kept in memory before they are sealed")
        ->capture_default_str()
        ->envname("BOUGH_PAGESERVER_LAYER_KB")
        ->check(CLI::Range(16, 1 << 20));
    app.add_option("--chain-steps", options.chain_steps, "A page that is made of more changes than this is stored as an image when it was read")
        ->capture_default_str()
        ->envname("BOUGH_PAGESERVER_CHAIN_STEPS")
        ->check(CLI::Range(1, 1 << 16));
    app.add_option("--gc-interval-s", options.gc_interval_s, "How often history that fell out of the restore windows is let go")
        ->capture_default_str()
        ->check(CLI::Range(1, 86400));
    app.add_option("--close-after-s", options.close_after_s, "A project that nobody used for so long is closed until it is asked for")
        ->capture_default_str()
        ->check(CLI::Range(1, 86400));
    app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
        ->capture_default_str()
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
    CLI11_PARSE(app, argc, argv);

    spdlog::set_default_logger(spdlog::stderr_logger_mt("pageserver"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n %v");
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    // Blocked before any thread starts, so that only run() takes them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    const auto result = pageserver::run(options, signals);
    if (!result) {
        std::cerr << "bough-pageserver: " << result.error().message << "\n";
        if (!result.error().hint.empty()) std::cerr << "hint: " << result.error().hint << "\n";
        return 1;
    }
    return 0;
}
