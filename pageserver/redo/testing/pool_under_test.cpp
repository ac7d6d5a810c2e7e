#include "pageserver/redo/testing/pool_under_test.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace bough::pageserver::testing {
namespace fs = std::filesystem;

PoolUnderTest::PoolUnderTest(const std::vector<std::byte>& control_file, const std::function<void(RedoPoolOptions&)>& change) {
    std::string pattern = (fs::temp_directory_path() / "bough-redo-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = pattern;
    options_.postgres_bindir = BOUGH_PG_BINDIR;
    options_.library = BOUGH_LIBRARY;
    options_.work_directory = root_ / "redo";
    options_.control_file = control_file;
    options_.workers = 2;
    if (change) change(options_);
    auto pool = RedoPool::start(options_);
    if (!pool) {
        fs::remove_all(root_);
        throw std::runtime_error(pool.error().to_string());
    }
    pool_ = std::move(*pool);
}

PoolUnderTest::~PoolUnderTest() {
    pool_.reset();
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

std::vector<int> PoolUnderTest::worker_pids() const {
    std::vector<int> pids;
    for (const auto& worker : fs::directory_iterator(options_.work_directory)) {
        std::ifstream file(worker.path() / "postmaster.pid");
        int pid = 0;
        if (file >> pid && kill(pid < 0 ? -pid : pid, 0) == 0) pids.push_back(pid < 0 ? -pid : pid);
    }
    return pids;
}

}  // namespace bough::pageserver::testing
