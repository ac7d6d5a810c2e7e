// What is deleted before it is made is never made. Whoever asked for it may have died, and its request be read, or come to its end, after
// its successor's question whether it is there.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "pageserver/admin/responses.hpp"

namespace bough::pageserver {

// Thread-safe. Remembers for as long as the process lives, and an entry for each deletion that found nothing: no request survives that, and
// such deletions are few.
class Creations {
public:
    // What is made or deleted is named by its path's parameters. failed_precondition while it is being deleted, or when a deletion has
    // found nothing before.
    FallibleRoute making(FallibleRoute make);
    // Waits for it while it is being made; timeout.
    FallibleRoute deleting(FallibleRoute remove);

private:
    using Names = std::multiset<http::PathParameters>;
    class Underway;

    Result<void> begin_making(const http::PathParameters& what);
    Result<void> wait_until_made(const http::PathParameters& what);
    void refuse_from_now_on(const http::PathParameters& what);

    std::mutex mutex_;
    std::condition_variable ended_;
    Names making_;                            // under mutex_
    Names deleting_;                          // under mutex_
    std::set<http::PathParameters> refused_;  // under mutex_
};

}  // namespace bough::pageserver
