// From a branch to a connection string that works.
#pragma once

#include <string>

#include "cli/api_client.hpp"

namespace bough::cli {

// Starts the branch's compute if it does not run. Empty branch: the default one.
Result<std::string> connection_string(ApiClient& api, const CommonOptions& options, const std::string& branch, bool superuser);

}  // namespace bough::cli
