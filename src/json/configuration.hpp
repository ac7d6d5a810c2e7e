// A branch's configuration as JSON: {"generation", "members": [name…], "next": [name…]}.
#pragma once

#include <boost/json/object.hpp>

#include "bough/configuration.hpp"
#include "bough/error.hpp"

namespace bough::json {

boost::json::object configuration_object(const Configuration& configuration);

// The member "configuration"; one of generation 0 when it is absent or null. invalid_argument when it is none.
Result<Configuration> configuration_field(const boost::json::object& from);

}  // namespace bough::json
