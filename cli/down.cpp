// bough down
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <thread>

#include <boost/json/serialize.hpp>

#include "cli/command_line.hpp"
#include "cli/system_files.hpp"
#include "compute/launcher/postmaster.hpp"

namespace bough::cli {
namespace {

constexpr auto kTimeout = std::chrono::seconds(180);

// Computes that outlived a control process which was killed.
unsigned stop_left_computes(const SystemFiles& files) {
    unsigned stopped = 0;
    std::error_code failed;
    for (const auto& project : std::filesystem::directory_iterator(files.computes(), failed)) {
        for (const auto& branch : std::filesystem::directory_iterator(project.path(), failed)) {
            auto pid = compute::running_postmaster(branch.path());
            if (!pid) continue;
            compute::stop_postmaster(*pid, compute::Shutdown::fast, std::chrono::seconds(5));
            ++stopped;
        }
    }
    return stopped;
}

Result<int> down(const CommonOptions& common) {
    SystemFiles files{std::filesystem::path(common.data_dir)};
    BOUGH_TRY(files.read_settings());
    bool running = supervisor_runs(files);
    if (running) {
        BOUGH_ASSIGN(auto status, read_supervisor_status(files));
        if (::kill(status.pid, SIGTERM) != 0) return io_error("cannot signal the supervisor (pid " + std::to_string(status.pid) + ")", errno);
        auto deadline = std::chrono::steady_clock::now() + kTimeout;
        while (supervisor_runs(files)) {
            if (std::chrono::steady_clock::now() > deadline)
                return Error{ErrorCode::timeout, "the system has not stopped yet", "see " + files.log_directory().string()};
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    unsigned left = stop_left_computes(files);
    if (common.json) std::cout << boost::json::serialize(boost::json::object{{"stopped", running || left > 0}}) << "\n";
    else std::cout << (running || left > 0 ? "stopped\n" : "nothing runs in " + common.data_dir + "\n");
    return 0;
}

}  // namespace

void add_down(CLI::App& app, CommonOptions& common, Action& action) {
    auto* verb = app.add_subcommand("down", "Stop the system: its computes, then its daemons. All data stays");
    add_common(*verb, common, false);
    verb->callback([&action, &common] { action = [&common] { return down(common); }; });
}

}  // namespace bough::cli
