// bough url, bough psql
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include <boost/json/serialize.hpp>

#include "cli/connect.hpp"

namespace bough::cli {
namespace {

struct UrlOptions {
    std::string branch;
    bool superuser = false;
};

Result<int> url(const CommonOptions& common, const UrlOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto text, connection_string(api, common, options.branch, options.superuser));
    if (common.json) std::cout << boost::json::serialize(boost::json::object{{"url", text}}) << "\n";
    else std::cout << text << "\n";
    return 0;
}

Result<int> psql(const CommonOptions& common, const UrlOptions& options, const std::vector<std::string>& arguments) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto text, connection_string(api, common, options.branch, options.superuser));
    // The password goes through the environment: everybody may read a process's arguments.
    auto scheme = text.find("://"), at = text.find('@');
    auto colon = text.find(':', scheme + 3);
    if (scheme != std::string::npos && at != std::string::npos && colon < at) {
        ::setenv("PGPASSWORD", text.substr(colon + 1, at - colon - 1).c_str(), 1);
        text.erase(colon, at - colon);
    }
    std::vector<std::string> command{"psql", text};
    command.insert(command.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp("psql", argv.data());
    Error error = io_error("cannot run psql", errno);
    error.hint = "install Debian's package postgresql-client";
    return error;
}

}  // namespace

void add_url(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<UrlOptions>();
    auto* verb = app.add_subcommand("url", "Print a branch's connection string, after starting its compute if need be");
    verb->add_option("branch", options->branch, "The branch (default: the project's default branch)");
    verb->add_flag("--superuser", options->superuser, "The operator's connection, through a Unix socket of this machine");
    add_common(*verb, common);
    verb->callback([&action, &common, options] { action = [&common, options] { return url(common, *options); }; });
}

void add_psql(CLI::App& app, CommonOptions& common, Action& action, const std::vector<std::string>& arguments) {
    auto options = std::make_shared<UrlOptions>();
    auto* verb = app.add_subcommand("psql", "Run psql on a branch; what follows \"--\" is psql's");
    verb->add_option("branch", options->branch, "The branch (default: the project's default branch)");
    verb->add_flag("--superuser", options->superuser, "As the operator, through a Unix socket of this machine");
    add_common(*verb, common);
    verb->callback([&action, &common, options, arguments] { action = [&common, options, arguments] { return psql(common, *options, arguments); }; });
}

}  // namespace bough::cli
