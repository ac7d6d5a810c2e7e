// bough project create|list|get|delete
#include <iostream>

#include <boost/json/serialize.hpp>

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
};

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

Result<int> remove(const CommonOptions& common, const ProjectOptions& options) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto answer, api.remove(std::string(kProjects) + "/" + http::encode(options.name)));
    return show(common, answer, "deleted with all its branches and data");
}

}  // namespace

void add_project(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<ProjectOptions>();
    auto* project = app.add_subcommand("project", "Create, list, show and delete projects");
    project->require_subcommand(1);

    auto* create_verb = project->add_subcommand("create", "Create a project: a new, empty Postgres cluster with a branch \"main\"");
    create_verb->add_option("name", options->name, "Its name")->required();
    create_verb->add_option("--database", options->database, "The owner's database (default: app)");
    create_verb->add_option("--role", options->role, "The owner's role (default: app)");
    add_common(*create_verb, common, false);
    create_verb->callback([&action, &common, options] { action = [&common, options] { return create(common, *options); }; });

    auto* list_verb = project->add_subcommand("list", "List the projects");
    add_common(*list_verb, common, false);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });

    auto* get_verb = project->add_subcommand("get", "Show a project");
    get_verb->add_option("project", options->name, "Its id or name (default: the only one)");
    add_common(*get_verb, common, false);
    get_verb->callback([&action, &common, options] { action = [&common, options] { return get(common, *options); }; });

    auto* delete_verb = project->add_subcommand("delete", "Delete a project with all its branches and data, for good");
    delete_verb->add_option("project", options->name, "Its id or name")->required();
    add_common(*delete_verb, common, false);
    delete_verb->callback([&action, &common, options] { action = [&common, options] { return remove(common, *options); }; });
}

}  // namespace bough::cli
