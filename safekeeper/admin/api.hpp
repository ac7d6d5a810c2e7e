// The safekeeper's admin HTTP: docs/protocols/admin_http.md.
#pragma once

#include <string>

#include "http/router.hpp"
#include "safekeeper/branch/branch_set.hpp"
#include "safekeeper/exchange/position_exchange.hpp"
#include "safekeeper/serve/wal_listener.hpp"

namespace bough::safekeeper::admin {

struct Api {
    BranchSet& branches;
    exchange::PositionExchange& exchange;
    const serve::WalListener& wal_listener;
    std::string own_address;  // taken out of the peers that a launcher names
    std::string boot_id;
    std::string identity;  // of the data directory
};

// Handlers may block for as long as a catch-up takes (kBeginTimeout). What `api` refers to outlives the router.
http::Router make_router(const Api& api);

// The router's answer; but failed_precondition when the request is for a safekeeper of another identity: who asks knew one whose data
// is gone, and must not take what an empty one says for it.
http::Response answer(const http::Router& router, const std::string& identity, const http::Request& request);

}  // namespace bough::safekeeper::admin
