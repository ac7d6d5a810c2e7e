#include "pageserver/import/cluster_template.hpp"

#include <system_error>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "files/files.hpp"
#include "pg/shared_memory.hpp"
#include "pg/v15/control_file.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;

// Runs a program with its output in a file; an error unless it ends with status 0.
Result<void> run_program(const std::vector<std::string>& arguments, const fs::path& output) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    BOUGH_CHECK(posix_spawn_file_actions_init(&actions) == 0);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    // The child takes signals in the usual way, whatever this process blocks.
    posix_spawnattr_t attributes;
    BOUGH_CHECK(posix_spawnattr_init(&attributes) == 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int failed = posix_spawn(&child, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return io_error("could not run \"" + arguments[0] + "\"", failed);

    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return io_error("could not wait for \"" + arguments[0] + "\"", errno);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return Error{ErrorCode::failed_precondition, "\"" + arguments[0] + "\" failed", "its output is in " + output.string()};
}

Result<void> run_initdb(const fs::path& directory, const fs::path& bindir) {
    const fs::path output = directory.string() + ".log";
    const Result<void> ran = run_program({(bindir / "initdb").string(), "-D", directory.string(), "-E", "UTF8",
                                          "--locale=C.UTF-8", "-U", "postgres", "--auth=trust"},
                                         output);
    if (ran) return {};
    Error error = ran.error();
    if (const auto said = files::read(output)) {
        const auto line = said->find("initdb: error: ");
        if (line != std::string::npos) error.message += ": " + said->substr(line + 15, said->find('\n', line) - line - 15);
    }
    return error;
}

}  // namespace

Result<ClusterTemplate> prepare_cluster_template(const fs::path& data_directory, const fs::path& bindir) {
    const fs::path directory = data_directory / "template" / "15";
    std::error_code failed;
    if (!fs::exists(directory / "global" / "pg_control", failed)) {
        if (::geteuid() == 0)
            return Error{ErrorCode::failed_precondition, "initdb cannot be run as root",
                         "run the pageserver as an unprivileged user"};
        const fs::path unfinished = data_directory / "template" / "15.unfinished";
        pg::remove_shared_memory(unfinished);
        fs::remove_all(unfinished, failed);
        fs::remove_all(directory, failed);
        fs::create_directories(data_directory / "template", failed);
        if (failed) return io_error("could not create \"" + (data_directory / "template").string() + "\"", failed.value());
        spdlog::info("makes the template of new projects with initdb");
        BOUGH_TRY(run_initdb(unfinished, bindir));
        // initdb has synced what it made. Every later project is a copy of this: after a power cut it is whole or not there.
        fs::rename(unfinished, directory, failed);
        if (failed) return io_error("could not rename \"" + unfinished.string() + "\"", failed.value());
        BOUGH_TRY(files::sync_directory(directory.parent_path()));
    }
    BOUGH_ASSIGN(std::string control, files::read(directory / "global" / "pg_control"));
    BOUGH_ASSIGN(const auto parsed, pg::v15::ControlFile::parse(std::as_bytes(std::span(control))));
    if (parsed.state() != pg::v15::ClusterState::shut_down)
        return Error{ErrorCode::failed_precondition, "the template \"" + directory.string() + "\" was not shut down cleanly",
                     "remove it, it is made anew"};
    return ClusterTemplate{directory, std::move(control)};
}

}  // namespace bough::pageserver
