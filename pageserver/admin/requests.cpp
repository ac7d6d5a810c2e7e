#include "pageserver/admin/requests.hpp"

#include <charconv>

#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {
namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text) {
    T number{};
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

Error unreadable(const std::string& name, const char* wanted) {
    return Error{ErrorCode::invalid_argument, "\"" + name + "\" is not " + wanted, {}};
}

}  // namespace

Result<ProjectId> project_of(const http::PathParameters& path) { return ProjectId::parse(path.at("project")); }

Result<BranchId> branch_of(const http::PathParameters& path) { return BranchId::parse(path.at("branch")); }

Result<std::string> text_in_query(const http::Request& request, const std::string& name) {
    const auto found = request.query.find(name);
    if (found == request.query.end()) return Error{ErrorCode::invalid_argument, "the query lacks \"" + name + "\"", {}};
    return found->second;
}

Result<Lsn> lsn_in_query(const http::Request& request, const std::string& name) {
    BOUGH_ASSIGN(const std::string text, text_in_query(request, name));
    const auto lsn = Lsn::parse(text);
    if (!lsn) return unreadable(name, "an LSN");
    return *lsn;
}

Result<std::uint32_t> number_in_query(const http::Request& request, const std::string& name) {
    BOUGH_ASSIGN(const std::string text, text_in_query(request, name));
    const auto number = parse_whole<std::uint32_t>(text);
    if (!number) return unreadable(name, "a number from 0 to 4294967295");
    return *number;
}

Result<std::int64_t> time_in_query(const http::Request& request, const std::string& name) {
    BOUGH_ASSIGN(const std::string text, text_in_query(request, name));
    auto time = parse_whole<std::int64_t>(text);
    if (!time) {
        BOUGH_ASSIGN(time, parse_timestamp(text));
    }
    if (*time < std::numeric_limits<std::int64_t>::min() + kPostgresEpochUs) return unreadable(name, "a time that Postgres knows");
    return to_postgres_time(*time);
}

Result<SystemId> parse_system_id(std::string_view text) {
    const auto number = parse_whole<std::uint64_t>(text);
    if (!number || *number == 0) return unreadable("system_identifier", "a number above zero");
    return SystemId{*number};
}

}  // namespace bough::pageserver
