#include "http/message.hpp"

#include <boost/json.hpp>

namespace bough::http {
namespace json = boost::json;

Response error_response(const Error& error) {
    json::object body{{"code", to_string(error.code)}, {"message", error.message}};
    if (!error.hint.empty()) body["hint"] = error.hint;
    return {http_status(error.code), json::serialize(body), "application/json"};
}

Error error_of_response(const Response& response) {
    Error error{error_code_of_http_status(response.status), "HTTP status " + std::to_string(response.status), {}};
    boost::system::error_code failed;
    auto body = json::parse(response.body, failed);
    if (failed || !body.is_object()) return error;
    auto text = [&](const char* key) -> std::string {
        auto* value = body.as_object().if_contains(key);
        return value && value->is_string() ? std::string(value->as_string()) : std::string{};
    };
    if (auto message = text("message"); !message.empty()) error.message = message;
    error.hint = text("hint");
    for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code)
        if (text("code") == to_string(static_cast<ErrorCode>(code))) error.code = static_cast<ErrorCode>(code);
    return error;
}

}  // namespace bough::http
