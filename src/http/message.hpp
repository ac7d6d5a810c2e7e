// Requests and responses as our handlers and clients see them.
#pragma once

#include <map>
#include <string>

#include "bough/error.hpp"

namespace bough::http {

struct Request {
    std::string method;                        // upper case
    std::string path;                          // without the query; still percent-encoded (Router decodes segments)
    std::map<std::string, std::string> query;  // percent-decoded
    std::string bearer;                        // of "Authorization: Bearer", or empty
    std::string body;
};

struct Response {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
};

// {"code": "...", "message": "...", "hint": "..."} with the status that http_status() gives.
Response error_response(const Error& error);
// The Error that such a response (or any other with status >= 400) stands for.
Error error_of_response(const Response& response);

}  // namespace bough::http
