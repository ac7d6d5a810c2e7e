#include "http/router.hpp"

#include <optional>
#include <utility>

#include "http/url.hpp"

namespace bough::http {
namespace {

std::vector<std::string> split(const std::string& path) {
    std::vector<std::string> segments;
    for (std::size_t at = 1; at <= path.size();) {
        auto slash = std::min(path.find('/', at), path.size());
        segments.push_back(decode(path.substr(at, slash - at)).value_or(""));
        at = slash + 1;
    }
    return segments;
}

std::optional<PathParameters> match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    if (pattern.size() != path.size()) return std::nullopt;
    PathParameters parameters;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const auto& segment = pattern[i];
        if (segment.starts_with('{')) {
            if (path[i].empty()) return std::nullopt;
            parameters[segment.substr(1, segment.size() - 2)] = path[i];
        } else if (segment != path[i]) {
            return std::nullopt;
        }
    }
    return parameters;
}

}  // namespace

void Router::add(std::string method, const std::string& pattern, Route route) {
    entries_.push_back({std::move(method), split(pattern), std::move(route)});
}

Response Router::dispatch(const Request& request) const {
    auto path = split(request.path);
    bool known_path = false;
    for (const auto& entry : entries_) {
        auto parameters = match(entry.segments, path);
        if (!parameters) continue;
        if (entry.method == request.method) return entry.route(request, *parameters);
        known_path = true;
    }
    if (known_path) {
        auto response = error_response({ErrorCode::invalid_argument, "method " + request.method + " is not allowed here", {}});
        response.status = 405;
        return response;
    }
    return error_response({ErrorCode::not_found, "no such path \"" + request.path.substr(0, 200) + "\"", {}});
}

}  // namespace bough::http
