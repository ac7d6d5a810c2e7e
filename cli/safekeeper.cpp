// bough safekeeper list|add|replace|remove|cancel
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include <boost/json/serialize.hpp>

#include "cli/api_client.hpp"
#include "cli/privileges.hpp"
#include "cli/supervisor.hpp"
#include "cli/table.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

constexpr auto kDaemonTimeout = std::chrono::seconds(30);
constexpr auto kPoll = std::chrono::milliseconds(100);

struct Names {
    std::string old_one;
    std::string new_one;
    unsigned timeout_s = 600;
};

void print_branches(const json::object& view) {
    json::array rows;
    for (const auto& branch : view.at("branches").as_array()) {
        for (const auto& position : branch.at("safekeepers").as_array()) {
            auto row = position.as_object();
            if (!row.contains("term")) continue;  // keeps nothing of it, or does not answer
            row["branch"] = branch.at("branch");
            row["safekeeper"] = row["name"];
            rows.push_back(std::move(row));
        }
    }
    if (rows.empty()) return;
    std::cout << "\n";
    print_table({"branch", "safekeeper", "term", "flush_lsn", "commit_lsn", "lag_bytes"}, rows);
}

std::string words(const json::value& names) {
    std::string text;
    for (const auto& name : names.as_array()) text += (text.empty() ? "" : ", ") + std::string(name.as_string());
    return text;
}

// What a change waits for: the first branch's reason stands for all.
std::string waiting(const json::object& change) {
    const auto& list = change.at("waiting").as_array();
    if (list.empty()) return {};
    const auto& first = list.front().as_object();
    auto text = "branch " + std::string(first.at("branch").as_string()) + " waits for " + std::string(first.at("for").as_string());
    return list.size() == 1 ? text : text + ", and " + std::to_string(list.size() - 1) + " more";
}

Result<json::object> view_of(ApiClient& api, const std::string& project) {
    BOUGH_ASSIGN(auto view, api.get(project + "/safekeepers"));
    for (const char* field : {"safekeepers", "branches"})
        if (!view.contains(field) || !view.at(field).is_array())
            return Error{ErrorCode::internal, "the API does not list safekeepers as this program expects", {}};
    return view;
}

const json::object* find(const json::object& view, const std::string& name) {
    for (const auto& entry : view.at("safekeepers").as_array())
        if (entry.at("name").as_string() == name) return &entry.as_object();
    return nullptr;
}

Result<int> list(const CommonOptions& common) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto view, view_of(api, project));
    if (common.json) {
        std::cout << boost::json::serialize(view) << "\n";
        return 0;
    }
    for (auto& entry : view["safekeepers"].as_array())
        if (!entry.at("answers").as_bool()) entry.as_object()["state"] = std::string(entry.at("state").as_string()) + ", away";
    print_table({"name", "state", "branches", "lag_bytes", "admin"}, view["safekeepers"].as_array());
    print_branches(view);
    if (view["change"].is_object()) {
        const auto& change = view["change"].as_object();
        std::cout << "\nbeing changed to " << words(change.at("to")) << "\n";
        if (auto what = waiting(change); !what.empty()) std::cout << what << "\n";
    }
    return 0;
}

// --- daemons of `bough up` ----------------------------------------------------------------------------------------------------

bool supervised(const SupervisorStatus& status, const std::vector<std::string>& names) {
    std::vector<std::string> wanted, found;
    for (const auto& name : names) wanted.push_back("safekeeper-" + name);
    for (const auto& daemon : status.daemons)
        if (daemon.name.starts_with("safekeeper-")) found.push_back(daemon.name);
    std::sort(wanted.begin(), wanted.end());
    std::sort(found.begin(), found.end());
    return wanted == found;
}

// Has the supervisor run these safekeepers and no others. It reads them from the settings.
Result<void> supervise_safekeepers(const SystemFiles& files, const std::vector<std::string>& names) {
    BOUGH_ASSIGN(auto settings, files.read_settings());
    settings.safekeepers = names;
    BOUGH_TRY(files.write_settings(settings));
    BOUGH_ASSIGN(auto status, read_supervisor_status(files));
    if (::kill(status.pid, SIGHUP) != 0) return io_error("cannot reach the supervisor (pid " + std::to_string(status.pid) + ")", errno);
    const auto deadline = std::chrono::steady_clock::now() + kDaemonTimeout;
    while (!supervised(status, names)) {
        if (std::chrono::steady_clock::now() > deadline)
            return Error{ErrorCode::timeout, "the supervisor (pid " + std::to_string(status.pid) + ") does not take up the safekeepers",
                         "see " + (files.log_directory() / "supervisor.log").string()};
        std::this_thread::sleep_for(kPoll);
        BOUGH_ASSIGN(status, read_supervisor_status(files));
    }
    return {};
}

Result<json::object> start_daemon(const SystemFiles& files, const std::string& name) {
    auto sockets = safekeeper_sockets(files, name);
    BOUGH_ASSIGN(auto admin, net::Address::parse(sockets.admin));
    BOUGH_ASSIGN(auto settings, files.read_settings());
    auto names = settings.safekeepers;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    BOUGH_TRY(supervise_safekeepers(files, names));
    http::Client client(admin);
    const auto deadline = std::chrono::steady_clock::now() + kDaemonTimeout;
    while (!client.call("GET", "/status", {}, std::chrono::seconds(2))) {
        if (std::chrono::steady_clock::now() > deadline)
            return Error{ErrorCode::unavailable, "safekeeper \"" + name + "\" does not start",
                         "see " + (files.log_directory() / ("safekeeper-" + name + ".log")).string()};
        std::this_thread::sleep_for(kPoll);
    }
    return json::object{{"name", name}, {"admin", sockets.admin}, {"wal", sockets.wal}};
}

// A number that no safekeeper here ever had: the name of one that left is not used again.
std::string next_name(const SystemSettings& settings, const json::object& view) {
    unsigned highest = 0;
    for (const auto& name : settings.safekeepers) highest = std::max(highest, safekeeper_number(name).value_or(0));
    for (const auto& entry : view.at("safekeepers").as_array())
        highest = std::max(highest, safekeeper_number(std::string(entry.at("name").as_string())).value_or(0));
    return "sk" + std::to_string(highest + 1);
}

// The safekeeper to add: the one that is named, else one that is there and not used, else a new one.
Result<json::object> provide(const SystemFiles& files, const json::object& view, const std::string& wanted) {
    if (!wanted.empty() && find(view, wanted) != nullptr) return json::object{{"name", wanted}};
    if (wanted.empty())
        for (const auto& entry : view.at("safekeepers").as_array())
            if (entry.at("state").as_string() == "unused" && entry.at("answers").as_bool()) return json::object{{"name", entry.at("name")}};
    if (!supervisor_runs(files)) {
        return Error{ErrorCode::not_found, wanted.empty() ? "there is no unused safekeeper" : "safekeeper \"" + wanted + "\" is not known",
                     "start one, and name it to bough-control with --safekeeper"};
    }
    BOUGH_ASSIGN(auto settings, files.read_settings());
    auto name = wanted.empty() ? next_name(settings, view) : wanted;
    if (!safekeeper_number(name))
        return Error{ErrorCode::invalid_argument, "invalid safekeeper name \"" + name + "\"", "the safekeepers of `bough up` are called sk1, sk2 and so on"};
    return start_daemon(files, name);
}

Result<bool> used_by_any_project(ApiClient& api, const std::string& name) {
    BOUGH_ASSIGN(auto answer, api.get("/api/v2/projects"));
    for (const auto& project : answer["projects"].as_array()) {
        BOUGH_ASSIGN(auto view, view_of(api, "/api/v2/projects/" + std::string(project.at("id").as_string())));
        const auto* entry = find(view, name);
        if (entry != nullptr && entry->at("state").as_string() != "left" && entry->at("state").as_string() != "unused") return true;
    }
    return false;
}

// Stops the daemon of one that has left, if it is ours and no other project needs it.
Result<void> retire(const SystemFiles& files, ApiClient& api, const CommonOptions& common, const std::string& name) {
    if (!supervisor_runs(files)) return {};
    BOUGH_ASSIGN(bool used, used_by_any_project(api, name));
    BOUGH_ASSIGN(auto settings, files.read_settings());
    if (used || std::erase(settings.safekeepers, name) == 0) return {};
    BOUGH_TRY(supervise_safekeepers(files, settings.safekeepers));
    if (!common.json)
        std::cout << "safekeeper " << name << " was stopped; nobody needs " << (files.root() / "safekeepers" / name).string() << " any more\n";
    return {};
}

// --- changes ------------------------------------------------------------------------------------------------------------------

Result<json::object> wait_until_done(ApiClient& api, const std::string& project, const CommonOptions& common, unsigned timeout_s) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(timeout_s);
    std::string said;
    for (;;) {
        // Control may be starting anew: it goes on with the change.
        auto view = view_of(api, project);
        if (view && view->at("change").is_null()) return view;
        std::string what = view ? waiting(view->at("change").as_object()) : view.error().message;
        if (std::chrono::steady_clock::now() > deadline)
            return Error{ErrorCode::timeout, "the change is not done yet: " + what, "it goes on; `bough safekeeper list` shows it, `bough safekeeper cancel` goes back"};
        if (!common.json && !what.empty() && what != said) std::cout << what << std::endl;
        said = what;
        std::this_thread::sleep_for(kPoll);
    }
}

void say_what_it_protects(const json::object& view) {
    std::size_t members = 0;
    for (const auto& entry : view.at("safekeepers").as_array()) members += entry.at("state").as_string() == "member" ? 1 : 0;
    if (members == 2)
        std::cout << "note: of two safekeepers both must have a commit. That protects it no better than one, and either of them stops it;\n"
                     "      `bough safekeeper add` makes them three, of which any one may be lost\n";
    else if (members % 2 == 0)
        std::cout << "note: " << members << " safekeepers survive the loss of " << members / 2 - 1 << ", as " << members - 1 << " do\n";
}

Result<int> change(const CommonOptions& common, const Names& names, bool add) {
    BOUGH_TRY(become_unprivileged(common.data_dir));
    SystemFiles files{std::filesystem::path(common.data_dir)};
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto before, view_of(api, project));
    if (before.at("change").is_object())
        return Error{ErrorCode::failed_precondition, "the safekeepers are being changed to " + words(before.at("change").at("to")),
                     "wait until that is done; `bough safekeeper list` shows what it waits for, `bough safekeeper cancel` goes back"};
    // Asked for before a daemon is started for nothing.
    if (!names.old_one.empty()) {
        const auto* entry = find(before, names.old_one);
        if (entry == nullptr || entry->at("state").as_string() != "member")
            return Error{ErrorCode::not_found, "safekeeper \"" + names.old_one + "\" keeps no WAL of this project", "`bough safekeeper list` shows those that do"};
    }
    json::object body;
    if (add) {
        BOUGH_ASSIGN(body["add"], provide(files, before, names.new_one));
    }
    if (!names.old_one.empty()) body["remove"] = names.old_one;
    BOUGH_TRY(api.post(project + "/safekeepers", body));
    BOUGH_ASSIGN(auto after, wait_until_done(api, project, common, names.timeout_s));
    if (!names.old_one.empty()) BOUGH_TRY(retire(files, api, common, names.old_one));
    if (common.json) {
        std::cout << boost::json::serialize(after) << "\n";
        return 0;
    }
    print_table({"name", "state", "branches", "lag_bytes", "admin"}, after["safekeepers"].as_array());
    say_what_it_protects(after);
    return 0;
}

Result<int> cancel(const CommonOptions& common, const Names& names) {
    BOUGH_TRY(become_unprivileged(common.data_dir));
    SystemFiles files{std::filesystem::path(common.data_dir)};
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto project, api.project_path(common));
    BOUGH_ASSIGN(auto before, view_of(api, project));
    BOUGH_TRY(api.remove(project + "/safekeepers/change"));
    BOUGH_ASSIGN(auto after, wait_until_done(api, project, common, names.timeout_s));
    // Those that were to come are not used again: they may be half lost, and have voted.
    for (const auto& entry : before.at("safekeepers").as_array())
        if (entry.at("state").as_string() == "joining") BOUGH_TRY(retire(files, api, common, std::string(entry.at("name").as_string())));
    if (common.json) std::cout << boost::json::serialize(after) << "\n";
    else print_table({"name", "state", "branches", "lag_bytes", "admin"}, after["safekeepers"].as_array());
    return 0;
}

}  // namespace

void add_safekeeper(CLI::App& app, CommonOptions& common, Action& action) {
    auto names = std::make_shared<Names>();
    auto* safekeeper = app.add_subcommand("safekeeper", "List and exchange the safekeepers that keep a project's WAL");
    safekeeper->require_subcommand(1);
    auto add_verb = [&](const char* name, const char* help, bool waits) {
        auto* verb = safekeeper->add_subcommand(name, help);
        add_common(*verb, common);
        if (waits) verb->add_option("--timeout", names->timeout_s, "Seconds to wait until it is done; it goes on after that")->capture_default_str();
        return verb;
    };

    auto* list_verb = add_verb("list", "List the safekeepers, and how far each has the branches", false);
    list_verb->callback([&action, &common] { action = [&common] { return list(common); }; });

    auto* add = add_verb("add", "Add a safekeeper, while the computes run. Under `bough up` it is started, too", true);
    add->add_option("name", names->new_one, "The new one (default: one that is not used, else a new one)");
    add->callback([&action, &common, names] { action = [&common, names] { return change(common, *names, true); }; });

    auto* replace = add_verb("replace", "Put a new safekeeper in the place of another, such as one whose disk was lost, while the computes run", true);
    replace->add_option("old", names->old_one, "The one that leaves; it need not answer any more")->required();
    replace->add_option("new", names->new_one, "The new one (default: one that is not used, else a new one)");
    replace->callback([&action, &common, names] { action = [&common, names] { return change(common, *names, true); }; });

    auto* remove = add_verb("remove", "Remove a safekeeper, while the computes run. What it keeps stays on its disk", true);
    remove->add_option("name", names->old_one, "The one that leaves")->required();
    remove->callback([&action, &common, names] { action = [&common, names] { return change(common, *names, false); }; });

    auto* cancel_verb = add_verb("cancel", "Call off a change that is under way, such as when the new safekeeper is lost: all goes back to those before", true);
    cancel_verb->callback([&action, &common, names] { action = [&common, names] { return cancel(common, *names); }; });
}

}  // namespace bough::cli
