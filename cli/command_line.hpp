// The options that every verb shares, and how a verb ends.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "bough/error.hpp"

namespace bough::cli {

struct CommonOptions {
    std::string data_dir;  // absolute after resolve_data_dir()
    std::string project;   // id or name; empty: the only one
    bool json = false;
};

// --data-dir, else BOUGH_DATA_DIR, else ./bough-data, made absolute.
std::string resolve_data_dir(const std::string& given);

// What a verb does once its options are parsed; the exit status is that of the process.
using Action = std::function<Result<int>()>;

// Adds --data-dir, --project (unless `with_project` is false) and --json to a verb.
void add_common(CLI::App& verb, CommonOptions& options, bool with_project = true);

// Each verb's file has one of these: it adds its subcommand and sets `action` when that is chosen.
void add_up(CLI::App& app, CommonOptions& options, Action& action);
void add_down(CLI::App& app, CommonOptions& options, Action& action);
void add_status(CLI::App& app, CommonOptions& options, Action& action);
void add_check(CLI::App& app, CommonOptions& options, Action& action);
void add_project(CLI::App& app, CommonOptions& options, Action& action);
void add_branch(CLI::App& app, CommonOptions& options, Action& action);
void add_snapshot(CLI::App& app, CommonOptions& options, Action& action);
void add_compute(CLI::App& app, CommonOptions& options, Action& action);
void add_safekeeper(CLI::App& app, CommonOptions& options, Action& action);
void add_url(CLI::App& app, CommonOptions& options, Action& action);
void add_psql(CLI::App& app, CommonOptions& options, Action& action, const std::vector<std::string>& psql_arguments);

}  // namespace bough::cli
