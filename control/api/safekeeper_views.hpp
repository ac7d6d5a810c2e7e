// The JSON that the API shows of a project's safekeepers.
#pragma once

#include <boost/json/object.hpp>

#include "control/catalog/catalog.hpp"
#include "control/membership/membership_changes.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

// Asks all of them, so it takes as long as the slowest does.
Result<boost::json::object> safekeepers_view(const Catalog& catalog, Safekeepers& safekeepers, const MembershipChanges& membership, const ProjectRow& project);

}  // namespace bough::control
