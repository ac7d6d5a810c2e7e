// What is deleted before it is made is never made. Whoever asked for it may have died, and its request be read, or come to its end, after
// its successor's question whether it is there.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "pageserver/admin/responses.hpp"

namespace bough::pageserver {

// Thread-safe. Remembers for as long as the process lives: no request survives that.
class Creations {
public:
    // The request's path names what is made; failed_precondition when it was deleted before.
    FallibleRoute making(FallibleRoute make);
    // Waits for what is being made under that path.
    FallibleRoute deleting(FallibleRoute remove);

private:
    Result<void> begin(const std::string& path);
    void end(const std::string& path);
    void forbid(const std::string& path);
    void permit(const std::string& path);

    std::mutex mutex_;
    std::condition_variable ended_;
    std::multiset<std::string> under_way_;  // under mutex_
    std::set<std::string> forbidden_;       // under mutex_
};

}  // namespace bough::pageserver
