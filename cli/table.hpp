// Aligned columns for people.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>

namespace bough::cli {

// Prints a heading and one line per object, with the named fields as columns; null and absent fields are "-".
void print_table(const std::vector<std::string>& fields, const boost::json::array& rows);

// One "field: value" line per member.
void print_fields(const boost::json::object& object);

}  // namespace bough::cli
