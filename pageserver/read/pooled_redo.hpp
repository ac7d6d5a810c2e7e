// Redo by a pool of workers, as the page reader asks for it.
#pragma once

#include "pageserver/read/page_redo.hpp"
#include "pageserver/redo/redo_pool.hpp"

namespace bough::pageserver {

// Borrows the pool. Thread-safe.
class PooledRedo final : public PageRedo {
public:
    explicit PooledRedo(RedoPool& pool) : pool_(pool) {}
    void apply_many(std::span<RedoJob> jobs) override { pool_.apply_many(jobs); }

private:
    RedoPool& pool_;
};

}  // namespace bough::pageserver
