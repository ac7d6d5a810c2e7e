// Names and ids of new projects, branches and endpoints.
#pragma once

#include <string>

#include "bough/error.hpp"
#include "bough/ids.hpp"

namespace bough::control {

// What people may call a project or a branch: 1 to 63 bytes, no control characters, no space at either end; `what` names it in
// the error.
Result<void> check_name(const std::string& name, const std::string& what);

ProjectId new_project_id();
BranchId new_branch_id();
EndpointId new_endpoint_id();
SnapshotId new_snapshot_id();
// Random; never 0, and positive as a signed number.
SystemId new_system_id();
// 32 characters with 160 bits from the system's random source.
std::string new_password();

}  // namespace bough::control
