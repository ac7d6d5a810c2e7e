// Reading fields out of JSON that others sent: every miss is an Error that names the field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "bough/error.hpp"
#include "bough/lsn.hpp"

namespace bough::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

// The object that `text` holds; empty text is an empty object. invalid_argument otherwise.
Result<object> parse_object(std::string_view text);

// A required member of that type: invalid_argument with its name when absent or of another type.
Result<std::string> string_field(const object& from, std::string_view name);
Result<std::uint64_t> unsigned_field(const object& from, std::string_view name);
Result<bool> bool_field(const object& from, std::string_view name);
Result<Lsn> lsn_field(const object& from, std::string_view name);
Result<object> object_field(const object& from, std::string_view name);

// The same with a value for an absent (or null) member; a member of another type still is an error.
Result<std::string> string_field_or(const object& from, std::string_view name, std::string_view otherwise);
Result<std::uint64_t> unsigned_field_or(const object& from, std::string_view name, std::uint64_t otherwise);
Result<bool> bool_field_or(const object& from, std::string_view name, bool otherwise);

}  // namespace bough::json
