#include "pageserver/admin/creations.hpp"

#include <utility>

namespace bough::pageserver {

Result<void> Creations::begin(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (forbidden_.contains(path))
        return Error{ErrorCode::failed_precondition, "\"" + path + "\" was deleted before it was made", "choose another id"};
    under_way_.insert(path);
    return {};
}

void Creations::end(const std::string& path) {
    const std::lock_guard lock(mutex_);
    under_way_.erase(under_way_.find(path));
    ended_.notify_all();
}

void Creations::forbid(const std::string& path) {
    std::unique_lock lock(mutex_);
    forbidden_.insert(path);
    ended_.wait(lock, [&] { return !under_way_.contains(path); });
}

void Creations::permit(const std::string& path) {
    const std::lock_guard lock(mutex_);
    forbidden_.erase(path);
}

FallibleRoute Creations::making(FallibleRoute make) {
    return [this, make = std::move(make)](const http::Request& request, const http::PathParameters& path) -> Result<http::Response> {
        BOUGH_TRY(begin(request.path));
        auto made = make(request, path);
        end(request.path);
        return made;
    };
}

FallibleRoute Creations::deleting(FallibleRoute remove) {
    return [this, remove = std::move(remove)](const http::Request& request, const http::PathParameters& path) -> Result<http::Response> {
        forbid(request.path);
        auto removed = remove(request, path);
        if (removed || removed.error().code != ErrorCode::not_found) permit(request.path);
        return removed;
    };
}

}  // namespace bough::pageserver
