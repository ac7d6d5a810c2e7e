// bough project create|list|get|update|delete
#include <iostream>

#include <boost/json/serialize.hpp>

#include "cli/amounts.hpp"
#include "cli/api_client.hpp"
#include "cli/table.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

constexpr const char* kProjects = "/api/v2/projects";

struct ProjectOptions {
    std::string name;
    std::string database;
    std::string role;
    std::string restore_window;
    std::string restore_window_wal;
};

// The fields of the request that say how much history is kept.
Result<void> add_restore_window(const ProjectOptions& options, json::object& fields) {
    if (!options.restore_window.empty()) {
        BOUGH_ASSIGN(fields["history_retention_seconds"], parse_duration(options.restore_window));
    }
    if (!options.restore_window_wal.empty()) {
        BOUGH_ASSIGN(fields["history_retention_wal_bytes"], parse_byte_size(options.restore_window_wal));
    }
    return {};
}

Result<int> show(const CommonOptions& common, const json::object& answer, const std::string& said) {
    if (common.json) {
        std::cout << boost::json::serialize(answer) << "\n";
        return 0;
    }
    if (!said.empty()) std::cout << said << "\n";
    BOUGH_ASSIGN(auto project, json::object_field(answer, "project"));
    print_fields(project);
    return 0;
}

Result<int> create(const CommonOptions& common, const ProjectOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    json::object fields{{"name", options.name}};
    if (!options.database.empty()) fields["database_name"] = options.database;
    if (!options.role.empty()) fields["role_name"] = options.role;
    BOUGH_TRY(add_restore_window(options, fields));
    BOUGH_ASSIGN(auto answer, api.post(kProjects, {{"project", std::move(fields)}}));
    return show(common, answer, "created");
}

Result<int> list(const CommonOptions& common) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto answer, api.get(kProjects));
    if (common.json) std::cout << boost::json::serialize(answer) << "\n";
    else print_table({"id", "name", "default_branch", "created_at"}, answer["projects"].as_array());
    return 0;
}

Result<int> get(CommonOptions common, const ProjectOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    if (!options.name.empty()) common.project = options.name;
    BOUGH_ASSIGN(auto path, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.get(path));
    return show(common, answer, "");
}

Result<int> update(CommonOptions common, const ProjectOptions& options) {
    if (!options.name.empty()) common.project = options.name;
    json::object fields;
    BOUGH_TRY(add_restore_window(options, fields));
    if (fields.empty()) return Error{ErrorCode::invalid_argument, "nothing to change was named", "see `bough project update --help`"};
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto path, api.project_path(common));
    BOUGH_ASSIGN(auto answer, api.patch(path, {{"project", std::move(fields)}}));
    return show(common, answer, "changed; history older than the restore window goes for good, soon");
}

void add_restore_window_options(CLI::App& verb, ProjectOptions& options) {
    verb.add_option("--restore-window", options.restore_window,
                    "How far back its branches can be read and branched from, such as 30m, 12h or 7d (default: 7d)");
    verb.add_option("--restore-window-wal", options.restore_window_wal,
                    "Keep at least this much WAL's worth of history, such as 10GB, however old it is (default: 0)");
}

Result<int> remove(const CommonOptions& common, const ProjectOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto answer, api.remove(std::string(kProjects) + "/" + http::encode(options.name)));
    return show(common, answer, "deleted with all its branches and data");
}

}  // namespace

void add_project(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<ProjectOptions>();
    auto* project = app.add_subcommand("project", "Create, list, show, change and delete projects");
    project->require_subcommand(1);

    auto* create_verb = project->add_subcommand("create", "Create a project: a new, empty Postgres cluster with a branch \"main\"");
    create_verb->add_option("name", options->name, "Its name")->required();
    create_verb->add_option("--database", options->database, "The owner's database (default: app)");
    create_verb->add_option("--role", options->role, "The owner's role (default: app)");
    add_restore_window_options(*create_verb, *options);
    add_common(*create_verb, common, false);
    create_verb->callback([&action, &common, options] { action = [&common, options] { return create(common, *options); }; });

    auto* list_verb = project->add_subcommand("list", "List the projects");
    add_common(*list_verb, common, false);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });

    auto* get_verb = project->add_subcommand("get", "Show a project");
    get_verb->add_option("project", options->name, "Its id or name (default: the only one)");
    add_common(*get_verb, common, false);
    get_verb->callback([&action, &common, options] { action = [&common, options] { return get(common, *options); }; });

    auto* update_verb = project->add_subcommand("update", "Change how much history a project keeps");
    update_verb->add_option("project", options->name, "Its id or name (default: the only one)");
    add_restore_window_options(*update_verb, *options);
    add_common(*update_verb, common, false);
    update_verb->callback([&action, &common, options] { action = [&common, options] { return update(common, *options); }; });

    auto* delete_verb = project->add_subcommand("delete", "Delete a project with all its branches and data, for good");
    delete_verb->add_option("project", options->name, "Its id or name")->required();
    add_common(*delete_verb, common, false);
    delete_verb->callback([&action, &common, options] { action = [&common, options] { return remove(common, *options); }; });
}

}  // namespace bough::cli
