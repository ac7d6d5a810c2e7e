// The JSON that the API shows of projects, branches and endpoints.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "control/catalog/catalog.hpp"
#include "control/computes/computes.hpp"

namespace bough::control {

boost::json::object project_view(const ProjectRow& row);
boost::json::object branch_view(const Catalog& catalog, const BranchRow& row);
boost::json::object snapshot_view(const Catalog& catalog, const SnapshotRow& row);
boost::json::object endpoint_view(const BranchRow& branch, const ComputeView& compute);

// Prometheus text.
std::string metrics_text(const Catalog& catalog, Computes& computes);

}  // namespace bough::control
