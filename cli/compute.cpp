// bough compute start|stop|list
#include <iostream>

#include <boost/json/serialize.hpp>

#include "cli/api_client.hpp"
#include "cli/table.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

Result<int> change(const CommonOptions& common, const std::string& branch, const std::string& verb) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto path, api.branch_path(common, branch));
    BOUGH_ASSIGN(auto answer, api.post(path + "/endpoint/" + verb));
    BOUGH_ASSIGN(auto endpoint, json::object_field(answer, "endpoint"));
    if (common.json) std::cout << boost::json::serialize(json::object{{"compute", endpoint}}) << "\n";
    else print_fields(endpoint);
    return 0;
}

Result<int> list(const CommonOptions& common) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.get(project + "/endpoints"));
    auto& endpoints = answer["endpoints"].as_array();
    if (common.json) std::cout << boost::json::serialize(json::object{{"computes", endpoints}}) << "\n";
    else print_table({"branch", "state", "port", "pid", "term", "start_lsn"}, endpoints);
    return 0;
}

}  // namespace

void add_compute(CLI::App& app, CommonOptions& common, Action& action) {
    auto branch = std::make_shared<std::string>();
    auto* compute = app.add_subcommand("compute", "Start, stop and list computes: the Postgres servers of branches");
    compute->require_subcommand(1);

    auto* start = compute->add_subcommand("start", "Start a branch's compute, unless it runs");
    start->add_option("branch", *branch, "The branch (default: the project's default branch)");
    add_common(*start, common);
    start->callback([&action, &common, branch] { action = [&common, branch] { return change(common, *branch, "start"); }; });

    auto* stop = compute->add_subcommand("stop", "Stop a branch's compute; its sessions are closed, its data stays");
    stop->add_option("branch", *branch, "The branch (default: the project's default branch)");
    add_common(*stop, common);
    stop->callback([&action, &common, branch] { action = [&common, branch] { return change(common, *branch, "suspend"); }; });

    auto* list_verb = compute->add_subcommand("list", "List the computes");
    add_common(*list_verb, common);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });
}

}  // namespace bough::cli
