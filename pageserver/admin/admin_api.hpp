// The pageserver's admin interface: docs/protocols/admin_http.md.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"
#include "pageserver/admin/creations.hpp"
#include "pageserver/admin/services.hpp"

namespace bough::pageserver {

// Thread-safe. Its requests may block: waits, imports, basebackups.
class AdminApi {
public:
    explicit AdminApi(AdminServices services);
    http::Response handle(const http::Request& request) const { return router_.dispatch(request); }

private:
    AdminServices services_;
    Creations creations_;
    http::Router router_;
};

// Each adds the routes of one part; all but the router must outlive it.
void add_project_routes(http::Router& router, AdminServices& services, Creations& creations);
void add_branch_routes(http::Router& router, AdminServices& services, Creations& creations);
void add_history_routes(http::Router& router, AdminServices& services, Creations& creations);
void add_check_routes(http::Router& router, AdminServices& services);

}  // namespace bough::pageserver
