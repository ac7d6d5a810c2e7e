// bough: the command that runs a system and asks it for things.
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/command_line.hpp"

namespace {

// What stands after "--" is psql's, not ours.
std::vector<std::string> split_off_psql_arguments(int& argc, char** argv) {
    std::vector<std::string> rest;
    for (int i = 1; i < argc; ++i) {
        if (std::string(argv[i]) != "--") continue;
        rest.assign(argv + i + 1, argv + argc);
        argc = i;
        break;
    }
    return rest;
}

// A message may quote what somebody typed: control characters are not the terminal's to obey.
std::string printable(const std::string& text) {
    std::string result;
    for (unsigned char c : text) {
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            char escaped[5];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", c);
            result += escaped;
        } else {
            result += static_cast<char>(c);
        }
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace bough;
    std::signal(SIGPIPE, SIG_IGN);
    auto psql_arguments = split_off_psql_arguments(argc, argv);
    CLI::App app{"Bough makes Postgres branch.\n\nStart with `bough up`; `bough VERB --help` explains each verb."};
    app.set_version_flag("--version", "bough " BOUGH_VERSION);
    app.require_subcommand(1);
    cli::CommonOptions options;
    cli::Action action;
    cli::add_up(app, options, action);
    cli::add_down(app, options, action);
    cli::add_status(app, options, action);
    cli::add_check(app, options, action);
    cli::add_project(app, options, action);
    cli::add_branch(app, options, action);
    cli::add_snapshot(app, options, action);
    cli::add_compute(app, options, action);
    cli::add_safekeeper(app, options, action);
    cli::add_url(app, options, action);
    cli::add_psql(app, options, action, psql_arguments);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        int status = app.exit(error);
        return status == 0 ? 0 : 2;
    }
    options.data_dir = cli::resolve_data_dir(options.data_dir);
    auto result = action();
    if (result) return *result;
    std::cerr << "bough: " << printable(result.error().message) << "\n";
    if (!result.error().hint.empty()) std::cerr << "hint: " << printable(result.error().hint) << "\n";
    return 1;
}
