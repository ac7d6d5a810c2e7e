#include "pageserver/redo/testing/pool_under_test.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>

namespace bough::pageserver::testing {
namespace fs = std::filesystem;

PoolUnderTest::PoolUnderTest(const std::vector<std::byte>& control_file, const std::function<void(RedoPoolOptions&)>& change) {
    std::string pattern = (fs::temp_directory_path() / "bough-redo-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = pattern;
    options_.engine = RedoEngine::stock;
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

double PoolUnderTest::worker_cpu_seconds() const {
    double sum = 0;
    for (const int pid : worker_pids()) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
        double run_ns = 0;
        file >> run_ns;
        sum += run_ns / 1e9;
    }
    return sum;
}

}  // namespace bough::pageserver::testing
