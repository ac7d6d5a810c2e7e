#include "pageserver/admin/creations.hpp"

#include <chrono>
#include <utility>

namespace bough::pageserver {
namespace {

// What takes longer is tried again by whoever asked: a thread that waits for ever answers nobody else.
constexpr auto kWaitMax = std::chrono::seconds(30);

}  // namespace

// One name less at its end, whatever ends it.
class Creations::Underway {
public:
    Underway(Creations& creations, Names& names, const http::PathParameters& what) : creations_(creations), names_(names), what_(what) {}
    ~Underway() {
        const std::lock_guard lock(creations_.mutex_);
        names_.erase(names_.find(what_));
        creations_.ended_.notify_all();
    }
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

private:
    Creations& creations_;
    Names& names_;
    const http::PathParameters& what_;
};

Result<void> Creations::begin_making(const http::PathParameters& what) {
    const std::lock_guard lock(mutex_);
    if (deleting_.contains(what)) return Error{ErrorCode::failed_precondition, "it is being deleted", "choose another id"};
    if (refused_.contains(what)) return Error{ErrorCode::failed_precondition, "it was deleted before it was made", "choose another id"};
    making_.insert(what);
    return {};
}

Result<void> Creations::wait_until_made(const http::PathParameters& what) {
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, kWaitMax, [&] { return !making_.contains(what); })) return {};
    return Error{ErrorCode::timeout, "it is still being made", "try again"};
}

void Creations::refuse_from_now_on(const http::PathParameters& what) {
    const std::lock_guard lock(mutex_);
    refused_.insert(what);
}

FallibleRoute Creations::making(FallibleRoute make) {
    return [this, make = std::move(make)](const http::Request& request, const http::PathParameters& what) -> Result<http::Response> {
        BOUGH_TRY(begin_making(what));
        const Underway underway(*this, making_, what);
        return make(request, what);
    };
}

FallibleRoute Creations::deleting(FallibleRoute remove) {
    return [this, remove = std::move(remove)](const http::Request& request, const http::PathParameters& what) -> Result<http::Response> {
        {
            const std::lock_guard lock(mutex_);
            deleting_.insert(what);
        }
        const Underway underway(*this, deleting_, what);
        BOUGH_TRY(wait_until_made(what));
        auto removed = remove(request, what);
        if (!removed && removed.error().code == ErrorCode::not_found) refuse_from_now_on(what);
        return removed;
    };
}

}  // namespace bough::pageserver
