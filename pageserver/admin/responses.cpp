#include "pageserver/admin/responses.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/spdlog.h>

namespace bough::pageserver {

http::Response json_response(const boost::json::value& body, unsigned status) {
    return http::Response{status, boost::json::serialize(body), "application/json"};
}

http::Route answering(FallibleRoute route) {
    return [route = std::move(route)](const http::Request& request, const http::PathParameters& path) {
        auto response = route(request, path);
        if (response) return std::move(*response);
        const Error& error = response.error();
        if (http_status(error.code) >= 500 && error.code != ErrorCode::timeout)
            spdlog::error("{} {}: {}", request.method, request.path, error.to_string());
        return http::error_response(error);
    };
}

}  // namespace bough::pageserver
