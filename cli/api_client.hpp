// Asks a running system's API.
#pragma once

#include <chrono>
#include <string>

#include <boost/json/object.hpp>

#include "bough/error.hpp"
#include "cli/command_line.hpp"
#include "cli/system_files.hpp"
#include "http/client.hpp"

namespace bough::cli {

class ApiClient {
public:
    // The system in that data directory; unavailable when none runs there.
    static Result<ApiClient> of(const std::string& data_dir);

    Result<boost::json::object> get(const std::string& target);
    Result<boost::json::object> post(const std::string& target, const boost::json::object& body = {});
    Result<boost::json::object> patch(const std::string& target, const boost::json::object& body);
    Result<boost::json::object> remove(const std::string& target);

    // "/api/v2/projects/ID" of the project that was named, or of the only one.
    Result<std::string> project_path(const CommonOptions& options);
    // The same of a branch, by name or id; empty: the default branch.
    Result<std::string> branch_path(const CommonOptions& options, const std::string& branch);

private:
    explicit ApiClient(http::Client client) : http_(std::move(client)) {}
    Result<boost::json::object> call(const std::string& method, const std::string& target, const std::string& body);
    http::Client http_;
};

}  // namespace bough::cli
