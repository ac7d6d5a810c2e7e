// Percent-encoding of request targets.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace bough::http {

struct Target {
    std::string path;  // still percent-encoded: a decoded '/' would not tell from a separator
    std::map<std::string, std::string> query;
};

// Nothing for a bad escape. '+' is a space only in queries.
std::optional<std::string> decode(std::string_view text, bool plus_is_space = false);

// Nothing for a target that does not begin with '/' or has a bad escape.
std::optional<Target> parse_target(std::string_view target);

}  // namespace bough::http
