#include "cli/connect.hpp"

#include "json/fields.hpp"

namespace bough::cli {

Result<std::string> connection_string(ApiClient& api, const CommonOptions& options, const std::string& branch, bool superuser) {
    BOUGH_ASSIGN(auto project, api.project_path(options));
    BOUGH_ASSIGN(auto path, api.branch_path(options, branch));
    BOUGH_ASSIGN(auto started, api.post(path + "/endpoint/start"));
    BOUGH_ASSIGN(auto endpoint, json::object_field(started, "endpoint"));
    BOUGH_ASSIGN(auto branch_id, json::string_field(endpoint, "branch_id"));
    BOUGH_ASSIGN(auto answer, api.get(project + "/connection_uri?branch_id=" + branch_id + (superuser ? "&superuser=true" : "")));
    return json::string_field(answer, "uri");
}

}  // namespace bough::cli
