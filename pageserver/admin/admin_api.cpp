#include "pageserver/admin/admin_api.hpp"

#include <unistd.h>

#include <boost/json/object.hpp>

#include "pageserver/admin/metrics_text.hpp"
#include "pageserver/admin/responses.hpp"

namespace bough::pageserver {

Result<void> wait_readable(const AdminServices& services, const Branch& branch, Lsn lsn, std::chrono::milliseconds timeout) {
    constexpr auto kLookEvery = std::chrono::milliseconds(200);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (true) {
        const auto now = std::chrono::steady_clock::now();
        Result<void> waited = branch.wait_readable(lsn, std::min(deadline, now + kLookEvery));
        if (waited || waited.error().code != ErrorCode::timeout || now >= deadline) return waited;
        if (services.stopping) return Error{ErrorCode::unavailable, "the pageserver is stopping", {}};
    }
}

AdminApi::AdminApi(AdminServices services) : services_(std::move(services)) {
    router_.add("GET", "/status", [this](const http::Request&, const http::PathParameters&) {
        return json_response(boost::json::object{
            {"boot_id", services_.boot_id}, {"version", BOUGH_VERSION}, {"pid", static_cast<std::int64_t>(::getpid())}});
    });
    router_.add("GET", "/metrics", [this](const http::Request&, const http::PathParameters&) {
        return http::Response{200, metrics_text(services_), "text/plain; version=0.0.4"};
    });
    add_project_routes(router_, services_, creations_);
    add_branch_routes(router_, services_, creations_);
    add_history_routes(router_, services_, creations_);
    add_check_routes(router_, services_);
}

}  // namespace bough::pageserver
