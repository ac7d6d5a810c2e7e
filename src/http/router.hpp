// Dispatches requests by method and path pattern.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "http/message.hpp"

namespace bough::http {

// The values of a pattern's {names}.
using PathParameters = std::map<std::string, std::string>;
using Route = std::function<Response(const Request&, const PathParameters&)>;

// Filled before use, constant afterwards; then thread-safe.
class Router {
public:
    // add("GET", "/v1/projects/{project}", ...): a {name} matches one non-empty segment.
    void add(std::string method, const std::string& pattern, Route route);
    // 404 for an unknown path, 405 for a known one with another method.
    Response dispatch(const Request& request) const;

private:
    struct Entry {
        std::string method;
        std::vector<std::string> segments;
        Route route;
    };
    std::vector<Entry> entries_;
};

}  // namespace bough::http
