// bough branch create|list|get|delete
#include <iostream>

#include <boost/json/serialize.hpp>

#include "bough/lsn.hpp"
#include "cli/api_client.hpp"
#include "cli/table.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

struct BranchOptions {
    std::string name;
    std::string parent;
    std::string at;
    std::string snapshot;
};

Result<int> show(const CommonOptions& common, const json::object& answer, const std::string& said) {
    if (common.json) {
        std::cout << boost::json::serialize(answer) << "\n";
        return 0;
    }
    if (!said.empty()) std::cout << said << "\n";
    BOUGH_ASSIGN(auto branch, json::object_field(answer, "branch"));
    print_fields(branch);
    return 0;
}

Result<int> create(const CommonOptions& common, const BranchOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    const std::string created = "created; connect with: bough psql " + options.name;
    if (!options.snapshot.empty()) {
        BOUGH_ASSIGN(auto restored, api.post(project + "/snapshots/" + http::encode(options.snapshot) + "/restore", {{"name", options.name}}));
        return show(common, restored, created);
    }
    json::object fields{{"name", options.name}};
    if (!options.parent.empty()) fields["parent_id"] = options.parent;
    // A slash tells an LSN from a time: no timestamp has one.
    if (!options.at.empty()) fields[options.at.find('/') != std::string::npos ? "parent_lsn" : "parent_timestamp"] = options.at;
    BOUGH_ASSIGN(auto answer, api.post(project + "/branches", {{"branch", std::move(fields)}}));
    return show(common, answer, created);
}

Result<int> list(const CommonOptions& common) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.get(project + "/branches"));
    if (common.json) std::cout << boost::json::serialize(answer) << "\n";
    else print_table({"name", "id", "current_state", "parent_name", "lsn", "created_at"}, answer["branches"].as_array());
    return 0;
}

Result<int> get(const CommonOptions& common, const BranchOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto branch, api.branch_path(common, options.name));
    BOUGH_ASSIGN(auto answer, api.get(branch));
    return show(common, answer, "");
}

Result<int> remove(const CommonOptions& common, const BranchOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto branch, api.branch_path(common, options.name));
    BOUGH_ASSIGN(auto answer, api.remove(branch));
    return show(common, answer, "deleted with the data written on it");
}

}  // namespace

void add_branch(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<BranchOptions>();
    auto* branch = app.add_subcommand("branch", "Create, list, show and delete branches");
    branch->require_subcommand(1);

    auto* create_verb = branch->add_subcommand("create", "Create a branch: its parent's data, as a copy that costs only what changes");
    create_verb->add_option("name", options->name, "Its name")->required();
    auto* parent = create_verb->add_option("--parent", options->parent, "The branch to leave (default: the project's default branch)");
    auto* at = create_verb->add_option("--at", options->at, "Where in the parent's history: an LSN (16/B374D848) or a time (2026-11-23T14:05:06.789Z; without a zone: UTC). "
                                                "Default: now, with every commit acknowledged before this call");
    create_verb->add_option("--snapshot", options->snapshot, "Instead: the snapshot to begin with, by name or id")->excludes(parent)->excludes(at);
    add_common(*create_verb, common);
    create_verb->callback([&action, &common, options] { action = [&common, options] { return create(common, *options); }; });

    auto* list_verb = branch->add_subcommand("list", "List the branches");
    add_common(*list_verb, common);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });

    auto* get_verb = branch->add_subcommand("get", "Show a branch");
    get_verb->add_option("branch", options->name, "Its name or id")->required();
    add_common(*get_verb, common);
    get_verb->callback([&action, &common, options] { action = [&common, options] { return get(common, *options); }; });

    auto* delete_verb = branch->add_subcommand("delete", "Stop a branch's compute and delete the branch, for good");
    delete_verb->add_option("branch", options->name, "Its name or id")->required();
    add_common(*delete_verb, common);
    delete_verb->callback([&action, &common, options] { action = [&common, options] { return remove(common, *options); }; });
}

}  // namespace bough::cli
