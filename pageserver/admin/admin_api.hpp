// The pageserver's admin interface: docs/protocols/admin_http.md.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"
#include "pageserver/admin/services.hpp"

namespace bough::pageserver {

// Thread-safe. Its requests may block: waits, imports, basebackups.
class AdminApi {
public:
    explicit AdminApi(AdminServices services);
    http::Response handle(const http::Request& request) const { return router_.dispatch(request); }

private:
    AdminServices services_;
    http::Router router_;
};

// Each adds the routes of one part; `services` must outlive the router.
void add_project_routes(http::Router& router, AdminServices& services);
void add_branch_routes(http::Router& router, AdminServices& services);
void add_history_routes(http::Router& router, AdminServices& services);
void add_check_routes(http::Router& router, AdminServices& services);

}  // namespace bough::pageserver
