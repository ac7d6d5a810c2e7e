// Making answers out of results.
#pragma once

#include <functional>

#include <boost/json/value.hpp>

#include "bough/error.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace bough::pageserver {

http::Response json_response(const boost::json::value& body, unsigned status = 200);

using FallibleRoute = std::function<Result<http::Response>(const http::Request&, const http::PathParameters&)>;
// Errors become their responses; those that are the server's fault are logged.
http::Route answering(FallibleRoute route);

}  // namespace bough::pageserver
