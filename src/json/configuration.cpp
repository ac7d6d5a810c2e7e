#include "json/configuration.hpp"

#include <boost/json/array.hpp>

#include "json/fields.hpp"

namespace bough::json {
namespace {

array names_array(const std::vector<std::string>& names) {
    array list;
    for (const auto& name : names) list.emplace_back(name);
    return list;
}

Result<std::vector<std::string>> names_field(const object& from, std::string_view name) {
    std::vector<std::string> names;
    const auto* found = from.if_contains(name);
    if (found == nullptr || found->is_null()) return names;
    if (!found->is_array()) return Error{ErrorCode::invalid_argument, "field \"" + std::string(name) + "\" must be a list of names", {}};
    for (const auto& item : found->get_array()) {
        if (!item.is_string()) return Error{ErrorCode::invalid_argument, "field \"" + std::string(name) + "\" must be a list of names", {}};
        names.emplace_back(item.get_string());
    }
    return names;
}

}  // namespace

object configuration_object(const Configuration& configuration) {
    return {{"generation", configuration.generation}, {"members", names_array(configuration.members)}, {"next", names_array(configuration.next)}};
}

Result<Configuration> configuration_field(const object& from) {
    Configuration configuration;
    const auto* found = from.if_contains("configuration");
    if (found == nullptr || found->is_null()) return configuration;
    if (!found->is_object()) return Error{ErrorCode::invalid_argument, "field \"configuration\" must be an object", {}};
    const auto& fields = found->get_object();
    BOUGH_ASSIGN(configuration.generation, unsigned_field(fields, "generation"));
    if (configuration.generation == 0) return Configuration{};
    BOUGH_ASSIGN(configuration.members, names_field(fields, "members"));
    BOUGH_ASSIGN(configuration.next, names_field(fields, "next"));
    BOUGH_TRY(check_configuration(configuration));
    return configuration;
}

}  // namespace bough::json
