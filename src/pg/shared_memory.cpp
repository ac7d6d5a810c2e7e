#include "pg/shared_memory.hpp"

#include <sys/shm.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace bough::pg {
namespace {

constexpr int kSegmentLine = 7;

struct Segment {
    pid_t maker;
    key_t key;
    int id;
};

std::optional<Segment> segment_of(const std::filesystem::path& data_directory) {
    std::ifstream file(data_directory / "postmaster.pid");
    Segment segment{};
    // Negative, of one that is not a postmaster (`postgres --single`, initdb's `--boot`).
    if (!(file >> segment.maker) || segment.maker == std::numeric_limits<pid_t>::min()) return std::nullopt;
    segment.maker = std::abs(segment.maker);
    for (int line = 1; line < kSegmentLine; ++line) file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    // The key is written as an unsigned long of what sysv_shmem.c has cast to a key_t.
    unsigned long key = 0;
    if (!(file >> key >> segment.id)) return std::nullopt;
    segment.key = static_cast<key_t>(key);
    return segment;
}

}  // namespace

void remove_shared_memory(const std::filesystem::path& data_directory) {
    const auto segment = segment_of(data_directory);
    if (!segment) return;
    shmid_ds found{};
    if (::shmctl(segment->id, IPC_STAT, &found) != 0) return;  // it is gone, or another user's
    if (found.shm_perm.__key != segment->key || found.shm_cpid != segment->maker || found.shm_perm.cuid != ::geteuid()) return;
    ::shmctl(segment->id, IPC_RMID, nullptr);  // can fail only because it has gone meanwhile
}

}  // namespace bough::pg
