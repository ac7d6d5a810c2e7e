// A branch's SQL port on this machine.
#pragma once

#include <cstdint>

#include "bough/error.hpp"

namespace bough::control {

// Whether anybody listens there. Asked before Postgres is started on it, which would only say so in its log.
Result<void> check_sql_port(std::uint16_t port);

}  // namespace bough::control
