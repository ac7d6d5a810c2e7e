#include "json/fields.hpp"

#include <boost/json/parse.hpp>

namespace bough::json {
namespace {

Error wrong(std::string_view name, std::string_view wanted) {
    return {ErrorCode::invalid_argument, "field \"" + std::string(name) + "\" must be " + std::string(wanted), {}};
}

const value* present(const object& from, std::string_view name) {
    const auto* found = from.if_contains(name);
    return found && !found->is_null() ? found : nullptr;
}

}  // namespace

Result<object> parse_object(std::string_view text) {
    if (text.empty()) return object{};
    boost::system::error_code failed;
    auto parsed = boost::json::parse(text, failed);
    if (failed) return Error{ErrorCode::invalid_argument, "malformed JSON: " + failed.message(), {}};
    if (!parsed.is_object()) return Error{ErrorCode::invalid_argument, "the body must be a JSON object", {}};
    return std::move(parsed.as_object());
}

Result<std::string> string_field(const object& from, std::string_view name) {
    const auto* found = present(from, name);
    if (!found || !found->is_string()) return wrong(name, "a string");
    return std::string(found->as_string());
}

Result<std::uint64_t> unsigned_field(const object& from, std::string_view name) {
    const auto* found = present(from, name);
    if (found && found->is_int64() && found->as_int64() >= 0) return static_cast<std::uint64_t>(found->as_int64());
    if (found && found->is_uint64()) return found->as_uint64();
    return wrong(name, "a whole number, zero or more");
}

Result<bool> bool_field(const object& from, std::string_view name) {
    const auto* found = present(from, name);
    if (!found || !found->is_bool()) return wrong(name, "true or false");
    return found->as_bool();
}

Result<Lsn> lsn_field(const object& from, std::string_view name) {
    BOUGH_ASSIGN(auto text, string_field(from, name));
    auto lsn = Lsn::parse(text);
    if (!lsn) return wrong(name, "an LSN such as \"16/B374D848\"");
    return *lsn;
}

Result<object> object_field(const object& from, std::string_view name) {
    const auto* found = present(from, name);
    if (!found || !found->is_object()) return wrong(name, "an object");
    return found->as_object();
}

Result<std::string> string_field_or(const object& from, std::string_view name, std::string_view otherwise) {
    return present(from, name) ? string_field(from, name) : Result<std::string>(std::string(otherwise));
}

Result<std::uint64_t> unsigned_field_or(const object& from, std::string_view name, std::uint64_t otherwise) {
    return present(from, name) ? unsigned_field(from, name) : Result<std::uint64_t>(otherwise);
}

Result<bool> bool_field_or(const object& from, std::string_view name, bool otherwise) {
    return present(from, name) ? bool_field(from, name) : Result<bool>(otherwise);
}

}  // namespace bough::json
