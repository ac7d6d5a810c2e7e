// Whether a connection to a Postgres server is worth a try.
#pragma once

#include <string>

namespace bough::safekeeper::receive {

// True when something listens where the conninfo points, or when that cannot be told cheaply (a host name, several hosts).
// Takes microseconds for a Unix socket, at most 200 ms for an IP address.
bool somebody_listens(const std::string& conninfo);

}  // namespace bough::safekeeper::receive
