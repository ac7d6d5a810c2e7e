// Expected failures travel as values: Result<T> holds a T or an Error.
// Broken invariants abort (check.hpp); exceptions stay inside third-party edges.
#pragma once

#include <string>
#include <utility>

#include <boost/system/result.hpp>

namespace bough {

enum class ErrorCode {
    invalid_argument,     // the request makes no sense, whatever the state (HTTP 400)
    unauthenticated,      // no or wrong credentials (401)
    not_found,            // 404
    already_exists,       // 409
    failed_precondition,  // makes sense, but not in the present state (409)
    out_of_range,         // an LSN or time outside what exists (422)
    unavailable,          // try again later (503)
    timeout,              // a deadline passed (504)
    corrupt,              // stored or received bytes fail their checks (500, SQLSTATE XX001)
    io,                   // the operating system refused (500)
    unsupported,          // a version or feature we do not handle (501)
    internal,             // none of the above (500)
};

// Messages follow Postgres's style: lower case, no full stop; `hint` says what to do.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    std::string hint;

    // "message (hint)" for logs.
    std::string to_string() const;
    // The same error with "context: " before its message.
    Error within(std::string_view context) const;
};

std::string_view to_string(ErrorCode code);
unsigned http_status(ErrorCode code);
// The inverse, as far as the status tells: what an HTTP client of ours reports.
ErrorCode error_code_of_http_status(unsigned status);

template <class T>
using Result = boost::system::result<T, Error>;

// Error{io, "<what>: <strerror>"}
Error io_error(std::string_view what, int error_number);

// Called by Result::value() on an error: a programming error, so it aborts.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace bough

// Evaluates a Result expression; returns its error from the enclosing function, else yields nothing.
#define BOUGH_TRY(expression)                                     \
    do {                                                          \
        auto bough_try_result = (expression);                     \
        if (!bough_try_result) return bough_try_result.error();   \
    } while (false)

#define BOUGH_CONCAT_INNER(a, b) a##b
#define BOUGH_CONCAT(a, b) BOUGH_CONCAT_INNER(a, b)
// BOUGH_ASSIGN(auto x, f()): x = value of f(), or return its error.
#define BOUGH_ASSIGN(target, expression) BOUGH_ASSIGN_IMPL(target, expression, BOUGH_CONCAT(bough_result_, __LINE__))
#define BOUGH_ASSIGN_IMPL(target, expression, name) \
    auto name = (expression);                       \
    if (!name) return name.error();                 \
    target = std::move(*name)
