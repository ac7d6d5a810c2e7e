#include "cli/table.hpp"

#include <algorithm>
#include <iostream>

#include <boost/json/serialize.hpp>

namespace bough::cli {
namespace {

std::string text_of(const boost::json::object& row, const std::string& field) {
    const auto* value = row.if_contains(field);
    if (!value || value->is_null()) return "-";
    if (value->is_string()) return std::string(value->as_string());
    return boost::json::serialize(*value);
}

}  // namespace

void print_table(const std::vector<std::string>& fields, const boost::json::array& rows) {
    std::vector<std::vector<std::string>> lines{fields};
    for (const auto& row : rows) {
        auto& line = lines.emplace_back();
        for (const auto& field : fields) line.push_back(row.is_object() ? text_of(row.as_object(), field) : "-");
    }
    std::vector<std::size_t> widths(fields.size());
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            bool last = i + 1 == line.size();
            std::cout << line[i] << (last ? "\n" : std::string(widths[i] - line[i].size() + 2, ' '));
        }
    }
}

void print_fields(const boost::json::object& object) {
    for (const auto& member : object) std::cout << member.key() << ": " << text_of(object, member.key()) << "\n";
}

}  // namespace bough::cli
