// The process's metrics in Prometheus's text format.
#pragma once

#include <string>

#include "pageserver/admin/services.hpp"

namespace bough::pageserver {

std::string metrics_text(const AdminServices& services);

}  // namespace bough::pageserver
