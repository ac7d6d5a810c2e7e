// A pool of this build's workers, in a temporary directory. Its engine is stock unless told otherwise: most tests are about workers.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "pageserver/redo/redo_pool.hpp"

namespace bough::pageserver::testing {

class PoolUnderTest {
public:
    // `change` may alter the options. Throws std::runtime_error when the pool does not start.
    explicit PoolUnderTest(const std::vector<std::byte>& control_file, const std::function<void(RedoPoolOptions&)>& change = {});
    ~PoolUnderTest();

    RedoPool& pool() { return *pool_; }
    // Of the workers that are running.
    std::vector<int> worker_pids() const;
    // That they have used since each began; of those that are running.
    double worker_cpu_seconds() const;
    const RedoPoolOptions& options() const { return options_; }

private:
    std::filesystem::path root_;
    RedoPoolOptions options_;
    std::unique_ptr<RedoPool> pool_;
};

}  // namespace bough::pageserver::testing
