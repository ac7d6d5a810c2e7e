// GET /metrics: Prometheus's text form.
#pragma once

#include <cstddef>
#include <string>

#include "safekeeper/branch/branch_set.hpp"

namespace bough::safekeeper::admin {

// Positions are given of branches that are streaming, and of a bounded number of them: thousands would drown everything else.
std::string metrics_text(const BranchSet& branches, std::size_t wal_sessions);

}  // namespace bough::safekeeper::admin
