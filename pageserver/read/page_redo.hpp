// What the page reader asks of redo: Postgres's own, in worker processes (redo/), or a test's.
#pragma once

#include <span>

#include "pageserver/redo/redo_request.hpp"

namespace bough::pageserver {

class PageRedo {
public:
    virtual ~PageRedo() = default;
    // Carries out every job, several pages in few round trips, and sets its result. A job's base and page do not overlap.
    // Thread-safe.
    virtual void apply_many(std::span<RedoJob> jobs) = 0;
};

}  // namespace bough::pageserver
