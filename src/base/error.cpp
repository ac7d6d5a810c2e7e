#include "bough/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bough/check.hpp"

namespace bough {

void check_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "bough: invariant broken: %s at %s:%d\n", condition, file, line);
    std::abort();
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
    std::fprintf(stderr, "bough: unhandled error at %s:%u: %s\n", where.file_name(), static_cast<unsigned>(where.line()),
                 error.to_string().c_str());
    std::abort();
}

std::string Error::to_string() const { return hint.empty() ? message : message + " (" + hint + ")"; }

Error Error::within(std::string_view context) const {
    return {code, std::string(context) + ": " + message, hint};
}

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "invalid_argument";
        case ErrorCode::unauthenticated: return "unauthenticated";
        case ErrorCode::not_found: return "not_found";
        case ErrorCode::already_exists: return "already_exists";
        case ErrorCode::failed_precondition: return "failed_precondition";
        case ErrorCode::out_of_range: return "out_of_range";
        case ErrorCode::unavailable: return "unavailable";
        case ErrorCode::timeout: return "timeout";
        case ErrorCode::corrupt: return "corrupt";
        case ErrorCode::io: return "io";
        case ErrorCode::unsupported: return "unsupported";
        case ErrorCode::internal: return "internal";
    }
    return "internal";
}

unsigned http_status(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return 400;
        case ErrorCode::unauthenticated: return 401;
        case ErrorCode::not_found: return 404;
        case ErrorCode::already_exists: return 409;
        case ErrorCode::failed_precondition: return 409;
        case ErrorCode::out_of_range: return 422;
        case ErrorCode::unavailable: return 503;
        case ErrorCode::timeout: return 504;
        case ErrorCode::unsupported: return 501;
        case ErrorCode::corrupt:
        case ErrorCode::io:
        case ErrorCode::internal: return 500;
    }
    return 500;
}

ErrorCode error_code_of_http_status(unsigned status) {
    switch (status) {
        case 400: return ErrorCode::invalid_argument;
        case 401: return ErrorCode::unauthenticated;
        case 404: return ErrorCode::not_found;
        case 409: return ErrorCode::failed_precondition;
        case 422: return ErrorCode::out_of_range;
        case 501: return ErrorCode::unsupported;
        case 503: return ErrorCode::unavailable;
        case 504: return ErrorCode::timeout;
        default: return ErrorCode::internal;
    }
}

Error io_error(std::string_view what, int error_number) {
    return {ErrorCode::io, std::string(what) + ": " + std::strerror(error_number), {}};
}

}  // namespace bough
