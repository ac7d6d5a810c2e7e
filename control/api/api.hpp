// The HTTP API: the paths and names of Neon's API v2, as far as there is something behind them.
#pragma once

#include <functional>
#include <string>

#include "control/branching/branching.hpp"
#include "control/catalog/catalog.hpp"
#include "control/computes/computes.hpp"
#include "control/membership/membership_changes.hpp"
#include "http/router.hpp"

namespace bough::control {

// Constant after construction; handle() is thread-safe.
class Api {
public:
    // Requests must carry `api_key` as bearer, but for GET /status.
    Api(std::string api_key, std::string boot_id, Catalog& catalog, Branching& branching, Computes& computes, Safekeepers& safekeepers,
        MembershipChanges& membership, PageserverClient& pageserver);
    http::Response handle(const http::Request& request) const;

private:
    void add_projects();
    void add_branches();
    void add_endpoints();
    void add_safekeepers();
    void add_snapshots();
    // For what is to be done with it; see Branching::settled.
    Result<BranchRow> settled_branch(const ProjectRow& project, const std::string& id_or_name) const;

    std::string api_key_;
    std::string boot_id_;
    Catalog& catalog_;
    Branching& branching_;
    Computes& computes_;
    Safekeepers& safekeepers_;
    MembershipChanges& membership_;
    PageserverClient& pageserver_;
    http::Router router_;
};

}  // namespace bough::control
