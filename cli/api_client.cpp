#include "cli/api_client.hpp"

#include <boost/json/serialize.hpp>

#include "files/files.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {
constexpr auto kTimeout = std::chrono::minutes(5);
constexpr const char* kProjects = "/api/v2/projects";
}  // namespace

Result<ApiClient> ApiClient::of(const std::string& data_dir) {
    SystemFiles files{std::filesystem::path(data_dir)};
    BOUGH_ASSIGN(auto settings, files.read_settings());
    if (!supervisor_runs(files) && !control_runs(files))
        return Error{ErrorCode::unavailable, "the system in " + data_dir + " does not run", "start it with `bough up --data-dir " + data_dir + "`"};
    auto key = files::read(files.api_key());
    if (!key) {
        if (key.error().code != ErrorCode::not_found) return key.error();
        return Error{ErrorCode::unavailable, "the system in " + data_dir + " is still starting", "try again in a moment"};
    }
    while (!key->empty() && key->back() == '\n') key->pop_back();
    net::Address address;
    address.host = "127.0.0.1";
    address.port = settings.api_port;
    return ApiClient(http::Client(address, *key));
}

Result<boost::json::object> ApiClient::call(const std::string& method, const std::string& target, const std::string& body) {
    BOUGH_ASSIGN(auto answer, http_.call(method, target, body, kTimeout));
    return json::parse_object(answer);
}

Result<boost::json::object> ApiClient::get(const std::string& target) { return call("GET", target, {}); }
Result<boost::json::object> ApiClient::post(const std::string& target, const boost::json::object& body) {
    return call("POST", target, boost::json::serialize(body));
}
Result<boost::json::object> ApiClient::patch(const std::string& target, const boost::json::object& body) {
    return call("PATCH", target, boost::json::serialize(body));
}
Result<boost::json::object> ApiClient::remove(const std::string& target) { return call("DELETE", target, {}); }

Result<std::string> ApiClient::project_path(const CommonOptions& options) {
    if (!options.project.empty()) return std::string(kProjects) + "/" + http::encode(options.project);
    BOUGH_ASSIGN(auto answer, get(kProjects));
    const auto* projects = answer.if_contains("projects");
    std::size_t count = projects && projects->is_array() ? projects->as_array().size() : 0;
    if (count == 0) return Error{ErrorCode::not_found, "there is no project", "create one with `bough project create NAME`"};
    if (count > 1) return Error{ErrorCode::invalid_argument, "there are " + std::to_string(count) + " projects", "name one with --project"};
    BOUGH_ASSIGN(auto id, json::string_field(projects->as_array().front().as_object(), "id"));
    return std::string(kProjects) + "/" + id;
}

Result<std::string> ApiClient::branch_path(const CommonOptions& options, const std::string& branch) {
    BOUGH_ASSIGN(auto project, project_path(options));
    if (!branch.empty()) return project + "/branches/" + http::encode(branch);
    BOUGH_ASSIGN(auto answer, get(project));
    BOUGH_ASSIGN(auto fields, json::object_field(answer, "project"));
    BOUGH_ASSIGN(auto default_branch, json::string_field(fields, "default_branch"));
    return project + "/branches/" + default_branch;
}

}  // namespace bough::cli
