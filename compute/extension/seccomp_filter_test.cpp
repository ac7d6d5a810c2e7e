// The system call filter of redo workers, in a process that has nothing else of a worker.
#include <cstdlib>
#include <cstring>
#include <functional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "seccomp_filter.h"
}

namespace {

// How a confined child ended after `act`; 0 means it lived on and was content.
int fate_of(const std::function<bool()>& act) {
    const pid_t pid = fork();
    if (pid == 0) {
        char error[256];
        if (bough_seccomp_confine(error, sizeof(error)) != 0) _exit(100);
        _exit(act() ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

testing::AssertionResult lives(const std::function<bool()>& act) {
    const int status = fate_of(act);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "wait status " << status;
}

testing::AssertionResult dies(const std::function<bool()>& act) {
    const int status = fate_of(act);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "wait status " << status;
}

TEST(SeccompFilter, a_worker_can_compute_and_talk) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_TRUE(lives([&] {
        char text[4] = {};
        return write(pair[0], "abc", 4) == 4 && read(pair[1], text, 4) == 4 && std::strcmp(text, "abc") == 0;
    }));
    EXPECT_TRUE(lives([] {
        // Large and small, through brk and mmap, and back.
        void* small = std::malloc(100);
        void* large = std::malloc(64u << 20);
        if (!small || !large) return false;
        std::memset(large, 1, 64u << 20);
        large = std::realloc(large, 128u << 20);
        std::free(large);
        std::free(small);
        return large != nullptr;
    }));
    EXPECT_TRUE(lives([] { return getpid() > 0; }));
}

TEST(SeccompFilter, abort_still_tells_why_it_ended) {
    const int status = fate_of([]() -> bool { std::abort(); });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
}

TEST(SeccompFilter, files_are_out_of_reach) {
    EXPECT_TRUE(dies([] { return open("/etc/passwd", O_RDONLY) >= 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_creat, "/tmp/bough-never", 0600) >= 0; }));
    EXPECT_TRUE(dies([] { return unlink("/tmp/bough-never") == 0; }));
    EXPECT_TRUE(dies([] { return rename("/tmp/bough-a", "/tmp/bough-b") == 0; }));
    EXPECT_TRUE(dies([] { return mkdir("/tmp/bough-never", 0700) == 0; }));
}

TEST(SeccompFilter, the_network_is_out_of_reach) {
    EXPECT_TRUE(dies([] { return socket(AF_INET, SOCK_STREAM, 0) >= 0; }));
    EXPECT_TRUE(dies([] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }));
}

TEST(SeccompFilter, other_processes_are_out_of_reach) {
    EXPECT_TRUE(dies([] { return fork() >= 0; }));
    EXPECT_TRUE(dies([] { return execl("/bin/true", "true", nullptr) == 0; }));
    EXPECT_TRUE(dies([] { return kill(getppid(), 0) == 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_ptrace, 0, 0, 0, 0) == 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_process_vm_readv, getppid(), nullptr, 0, nullptr, 0, 0) == 0; }));
}

TEST(SeccompFilter, data_does_not_become_code) {
    EXPECT_TRUE(dies([] {
        return mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    }));
    static char page[8192];
    EXPECT_TRUE(dies([] { return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0; }));
    EXPECT_TRUE(dies([] { return mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 0, 0) != MAP_FAILED; }));
}

TEST(SeccompFilter, nothing_undoes_it) {
    EXPECT_TRUE(dies([] { return syscall(SYS_prctl, 1, 9, 0, 0, 0) == 0; }));
    EXPECT_TRUE(dies([] { return syscall(SYS_seccomp, 0, 0, nullptr) == 0; }));
    EXPECT_TRUE(dies([] { return setuid(0) == 0; }));
}

}  // namespace
