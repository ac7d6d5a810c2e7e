// What admin requests carry in their paths, queries and bodies.
#pragma once

#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace bough::pageserver {

Result<ProjectId> project_of(const http::PathParameters& path);
Result<BranchId> branch_of(const http::PathParameters& path);

// Required members of the query; invalid_argument with the name when absent or unreadable.
Result<std::string> text_in_query(const http::Request& request, const std::string& name);
Result<Lsn> lsn_in_query(const http::Request& request, const std::string& name);
Result<std::uint32_t> number_in_query(const http::Request& request, const std::string& name);
// As Postgres counts them. The text is RFC 3339 or microseconds since 1970.
Result<std::int64_t> time_in_query(const http::Request& request, const std::string& name);

// A system identifier in a JSON body: decimal text or a number.
Result<SystemId> parse_system_id(std::string_view text);

}  // namespace bough::pageserver
