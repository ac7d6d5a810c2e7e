// bough snapshot create|list|delete
#include <iostream>

#include <boost/json/serialize.hpp>

#include "cli/api_client.hpp"
#include "cli/table.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

struct SnapshotOptions {
    std::string name;
    std::string branch;
    std::string at;
};

Result<int> show(const CommonOptions& common, const json::object& answer, const std::string& said) {
    if (common.json) {
        std::cout << boost::json::serialize(answer) << "\n";
        return 0;
    }
    std::cout << said << "\n";
    BOUGH_ASSIGN(auto snapshot, json::object_field(answer, "snapshot"));
    print_fields(snapshot);
    return 0;
}

Result<int> create(const CommonOptions& common, const SnapshotOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto branch, api.branch_path(common, options.branch));
    std::string query = "?name=" + http::encode(options.name);
    // A slash tells an LSN from a time: no timestamp has one.
    if (!options.at.empty())
        query += (options.at.find('/') != std::string::npos ? "&lsn=" : "&timestamp=") + http::encode(options.at);
    BOUGH_ASSIGN(auto answer, api.post(branch + "/snapshot" + query));
    return show(common, answer, "created; open it with: bough branch create NAME --snapshot " + options.name);
}

Result<int> list(const CommonOptions& common) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.get(project + "/snapshots"));
    if (common.json)
        std::cout << boost::json::serialize(answer) << "\n";
    else
        print_table({"name", "id", "source_branch_name", "lsn", "created_at"}, answer["snapshots"].as_array());
    return 0;
}

Result<int> remove(const CommonOptions& common, const SnapshotOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.remove(project + "/snapshots/" + http::encode(options.name)));
    return show(common, answer, "deleted; what only it kept goes for good");
}

}  // namespace

void add_snapshot(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<SnapshotOptions>();
    auto* snapshot = app.add_subcommand("snapshot", "Create, list and delete snapshots: places in a branch's history that stay");
    snapshot->require_subcommand(1);

    auto* create_verb = snapshot->add_subcommand("create", "Keep a place in a branch's history, whatever the restore window");
    create_verb->add_option("name", options->name, "Its name")->required();
    create_verb->add_option("--branch", options->branch, "The branch (default: the project's default branch)");
    create_verb->add_option(
        "--at", options->at,
        "Where in its history: an LSN (16/B374D848) or a time (2026-11-23T14:05:06.789Z; without a zone: UTC). "
        "Default: now, with every commit acknowledged before this call");
    add_common(*create_verb, common);
    create_verb->callback([&action, &common, options] { action = [&common, options] { return create(common, *options); }; });

    auto* list_verb = snapshot->add_subcommand("list", "List the snapshots");
    add_common(*list_verb, common);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });

    auto* delete_verb = snapshot->add_subcommand("delete", "Delete a snapshot; branches made from it stay");
    delete_verb->add_option("snapshot", options->name, "Its name or id")->required();
    add_common(*delete_verb, common);
    delete_verb->callback([&action, &common, options] { action = [&common, options] { return remove(common, *options); }; });
}

}  // namespace bough::cli
