#include "pg/shared_memory.hpp"

#include <signal.h>
#include <sys/shm.h>

#include <chrono>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pg/testing/stock_server.hpp"

namespace bough::pg {
namespace {

bool exists(int segment) {
    shmid_ds found{};
    // Marked for removal, it stays until those who are attached end.
    return ::shmctl(segment, IPC_STAT, &found) == 0 && (found.shm_perm.mode & SHM_DEST) == 0;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

void write_lines(const std::filesystem::path& path, const std::vector<std::string>& lines) {
    std::ofstream file(path, std::ios::trunc);
    for (const auto& line : lines) file << line << '\n';
}

// Started and killed: its directory is there, and its segment.
struct KilledServer : ::testing::Test {
    KilledServer() {
        server.start();
        lock_file = lines_of(path());
        unsigned long key = 0;
        std::istringstream(lock_file.at(6)) >> key >> segment;
        ::kill(std::stoi(lock_file.at(0)), SIGKILL);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (attached() != 0 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        EXPECT_EQ(attached(), 0u);
    }
    ~KilledServer() override { ::shmctl(segment, IPC_RMID, nullptr); }

    unsigned long attached() const {
        shmid_ds found{};
        return ::shmctl(segment, IPC_STAT, &found) == 0 ? found.shm_nattch : ~0ul;
    }
    std::filesystem::path path() const { return server.data() / "postmaster.pid"; }

    testing::StockServer server;
    std::vector<std::string> lock_file;
    int segment = -1;
};

TEST_F(KilledServer, leaves_its_segment_until_it_is_removed) {
    ASSERT_TRUE(exists(segment));
    remove_shared_memory(server.data());
    EXPECT_FALSE(exists(segment));
    remove_shared_memory(server.data());
}

// The pid of `postgres --single` is negative there.
TEST_F(KilledServer, of_one_that_was_no_postmaster_it_is_removed_too) {
    lock_file.at(0).insert(0, "-");
    write_lines(path(), lock_file);
    remove_shared_memory(server.data());
    EXPECT_FALSE(exists(segment));
}

TEST_F(KilledServer, without_a_lock_file_that_names_the_segment_nothing_is_removed) {
    std::filesystem::remove(path());
    remove_shared_memory(server.data());
    for (const std::size_t lines : {0, 1, 6}) {
        write_lines(path(), {lock_file.begin(), lock_file.begin() + static_cast<std::ptrdiff_t>(lines)});
        remove_shared_memory(server.data());
    }
    for (const std::string line : {"", "word", "99999999999999999999999 1", "1 99999999999999999999999", "-1"}) {
        auto damaged = lock_file;
        damaged.at(6) = line;
        write_lines(path(), damaged);
        remove_shared_memory(server.data());
    }
    EXPECT_TRUE(exists(segment));
}

TEST_F(KilledServer, a_segment_of_another_maker_or_key_is_left) {
    auto other = lock_file;
    other.at(0) = std::to_string(std::numeric_limits<pid_t>::max());  // nobody's
    write_lines(path(), other);
    remove_shared_memory(server.data());

    other = lock_file;
    other.at(6) = "1 " + std::to_string(segment);
    write_lines(path(), other);
    remove_shared_memory(server.data());
    EXPECT_TRUE(exists(segment));

    write_lines(path(), lock_file);
    remove_shared_memory(server.data());
    EXPECT_FALSE(exists(segment));
}

}  // namespace
}  // namespace bough::pg
