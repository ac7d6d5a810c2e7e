// bough status
#include <chrono>
#include <iostream>

#include <boost/json/serialize.hpp>

#include "cli/api_client.hpp"
#include "cli/table.hpp"
#include "http/client.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

Result<json::object> gather(const CommonOptions& common, bool running) {
    SystemFiles files{std::filesystem::path(common.data_dir)};
    BOUGH_ASSIGN(auto settings, files.read_settings());
    json::object result{{"data_dir", common.data_dir},
                        {"running", running},
                        {"api", "http://127.0.0.1:" + std::to_string(settings.api_port)},
                        {"daemons", json::array{}},
                        {"warnings", json::array{}},
                        {"projects", json::array{}}};
    if (!running) return result;
    if (auto status = read_supervisor_status(files); status && supervisor_runs(files)) {
        result["supervisor_pid"] = status->pid;
        for (const auto& daemon : status->daemons)
            result["daemons"].as_array().push_back(json::object{{"name", daemon.name}, {"pid", daemon.pid}, {"state", daemon.state}, {"restarts", daemon.restarts}});
    }
    // What a daemon has to say for itself.
    for (const auto& name : settings.safekeepers) {
        auto address = net::Address::parse("unix:" + (files.run_directory() / (name + ".sock")).string());
        if (!address) continue;
        auto answer = http::Client(*address).call("GET", "/status", {}, std::chrono::seconds(2));
        auto fields = answer ? json::parse_object(*answer) : Result<json::object>(answer.error());
        auto full = fields ? json::bool_field_or(*fields, "disk_full", false) : Result<bool>(false);
        if (!full || !*full) continue;
        result["warnings"].as_array().push_back(
            boost::json::string("safekeeper " + name + ": the disk is full; commits that need it wait until there is room"));
    }
    auto api = ApiClient::of(common.data_dir);
    if (!api) return result;
    auto projects = api->get("/api/v2/projects");
    if (!projects) {
        result["api_error"] = projects.error().message;
        return result;
    }
    for (auto& entry : (*projects)["projects"].as_array()) {
        auto project = entry.as_object();
        BOUGH_ASSIGN(auto id, json::string_field(project, "id"));
        if (auto endpoints = api->get("/api/v2/projects/" + id + "/endpoints")) project["computes"] = (*endpoints)["endpoints"];
        result["projects"].as_array().push_back(std::move(project));
    }
    return result;
}

Result<int> status(const CommonOptions& common) {
    SystemFiles files{std::filesystem::path(common.data_dir)};
    bool running = supervisor_runs(files) || control_runs(files);
    BOUGH_ASSIGN(auto gathered, gather(common, running));
    if (common.json) {
        std::cout << boost::json::serialize(gathered) << "\n";
    } else if (!running) {
        std::cout << "the system in " << common.data_dir << " does not run\n";
    } else {
        print_table({"name", "state", "pid", "restarts"}, gathered["daemons"].as_array());
        for (auto& warning : gathered["warnings"].as_array()) std::cout << "\n" << warning.as_string() << "\n";
        if (auto* error = gathered.if_contains("api_error")) std::cout << "\nthe API does not answer: " << error->as_string() << "\n";
        for (auto& project : gathered["projects"].as_array()) {
            auto& fields = project.as_object();
            std::cout << "\nproject " << fields["name"].as_string() << " (" << fields["id"].as_string() << ")\n";
            if (auto* computes = fields.if_contains("computes")) print_table({"branch", "state", "port", "pid", "term", "start_lsn"}, computes->as_array());
        }
    }
    return running ? 0 : 1;
}

}  // namespace

void add_status(CLI::App& app, CommonOptions& common, Action& action) {
    auto* verb = app.add_subcommand("status", "Show the daemons, projects and computes; exit status 1 when the system does not run");
    add_common(*verb, common, false);
    verb->callback([&action, &common] { action = [&common] { return status(common); }; });
}

}  // namespace bough::cli
