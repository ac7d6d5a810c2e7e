/*
 * Storage that fails or lies, for tests: loaded by LD_PRELOAD before libc.
 *
 * BOUGH_STORAGE_FAULTS names a file of rules, read at every call, so that a test can change it under the running program:
 *     CALL ACTION SKIP PART
 * applies to calls of CALL (fsync, fdatasync, write, pwrite, ftruncate, rename, unlink, open, or "sync" for both of the first two) on paths
 * that contain PART, once SKIP of them have passed. ACTION: EIO, ENOSPC or another number of errno; "short" writes half; "kill" is
 * SIGKILL before the call is made; "sleep:MS" delays it; "unsynced" answers a sync with success without telling the log below.
 *
 * BOUGH_STORAGE_LOG names a file to which all changes of files are written with what they replaced, and every sync that succeeded. From
 * it a test makes what a power cut could have left (tests/support/power_cut.py). Entries: struct entry, path, second path or the bytes
 * before, the bytes after.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct entry {
    char kind; /* W rite, T runcate, C reate, R ename, U nlink, S ync */
    char pad[3];
    uint32_t path_bytes;
    uint64_t offset;       /* W; T: the new size; S: entries with lower numbers are durable */
    uint64_t before_bytes; /* W, R and U: of what follows the path; T: the old size, and nothing follows */
    uint64_t after_bytes;
};

enum { RULES_MAX = 16, RULE_BYTES = 256 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* one change at a time while there is a log, so that their order is known */
static unsigned passed[RULES_MAX];
static int log_fd = -2;
static uint64_t entries, saved;

/* Of this library's own files, and whatever has no path (sockets, pipes), nothing is known. */
static int path_of(int fd, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0 || path[0] != '/' || strncmp(path, "/dev/", 5) == 0) return 0;
    path[length] = 0;
    return 1;
}

static int is_sync(const char *call) { return strcmp(call, "fsync") == 0 || strcmp(call, "fdatasync") == 0; }

/* The action for this call, or nothing. */
static int action_for(const char *call, const char *path, char *action) {
    const char *name = getenv("BOUGH_STORAGE_FAULTS");
    if (!name) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[RULES_MAX * RULE_BYTES];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    if (got <= 0) return 0;
    text[got] = 0;
    int number = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && number < RULES_MAX; line = strtok_r(NULL, "\n", &rest), ++number) {
        char wanted[16], part[RULE_BYTES];
        unsigned skip;
        if (sscanf(line, "%15s %31s %u %255s", wanted, action, &skip, part) != 4) continue;
        if (strcmp(wanted, call) != 0 && !(strcmp(wanted, "sync") == 0 && is_sync(call))) continue;
        if (!strstr(path, part)) continue;
        if (__atomic_fetch_add(&passed[number], 1, __ATOMIC_RELAXED) >= skip) return 1;
    }
    return 0;
}

/* Performs what the action is, but "short" and "unsynced", which are the caller's. True when the call is to fail with errno. */
static int act(const char *action) {
    if (strcmp(action, "kill") == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (strncmp(action, "sleep:", 6) == 0) {
        long ms = atol(action + 6);
        struct timespec time = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&time, NULL);
        return 0;
    }
    int number = strcmp(action, "EIO") == 0 ? EIO : strcmp(action, "ENOSPC") == 0 ? ENOSPC : atoi(action);
    if (number > 0) errno = number;
    return number > 0;
}

/* True when the call is to fail. */
static int fails(const char *call, const char *path) {
    char action[32];
    return action_for(call, path, action) && act(action);
}

/* --- the log --- */

static int logging(void) {
    if (log_fd == -2) {
        const char *name = getenv("BOUGH_STORAGE_LOG");
        log_fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    }
    return log_fd >= 0;
}

static void put(const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = syscall(SYS_write, log_fd, bytes, length);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        length -= (size_t)done;
    }
}

static void note(char kind, const char *path, uint64_t offset, const void *before, uint64_t before_bytes, const void *after, uint64_t after_bytes) {
    struct entry entry = {kind, {0}, (uint32_t)strlen(path), offset, before_bytes, after_bytes};
    put(&entry, sizeof entry);
    put(path, entry.path_bytes);
    if (before) put(before, before_bytes);
    if (after) put(after, after_bytes);
    ++entries;
}

/* Keeps the file that is about to lose this name under another one. Gives that, or "". */
static void keep(const char *path, char *kept) {
    snprintf(kept, PATH_MAX, "%s.%llu", getenv("BOUGH_STORAGE_LOG"), (unsigned long long)++saved);
    if (link(path, kept) != 0) kept[0] = 0;
}

/* --- the calls --- */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t logged_write(int fd, const void *bytes, size_t length, off_t offset, const char *path) {
    char *before = malloc(length + 1);
    int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC); /* fd may be for writing only */
    ssize_t got = again < 0 ? 0 : pread(again, before, length, offset);
    if (again >= 0) close(again);
    ssize_t done = (ssize_t)syscall(SYS_pwrite64, fd, bytes, length, offset);
    int reason = errno;
    if (done > 0) note('W', path, (uint64_t)offset, before, got > 0 ? (uint64_t)got : 0, bytes, (uint64_t)done);
    free(before);
    errno = reason;
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    REAL(pwrite);
    char path[PATH_MAX], action[32];
    if (!path_of(fd, path)) return real(fd, bytes, length, offset);
    if (action_for("pwrite", path, action)) {
        if (strcmp(action, "short") == 0)
            length = length > 1 ? length / 2 : length;
        else if (act(action))
            return -1;
    }
    if (!logging()) return real(fd, bytes, length, offset);
    pthread_mutex_lock(&mutex);
    ssize_t done = logged_write(fd, bytes, length, offset, path);
    pthread_mutex_unlock(&mutex);
    return done;
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return pwrite(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    char path[PATH_MAX], action[32];
    if (fd <= 2 || !path_of(fd, path)) return real(fd, bytes, length);
    if (action_for("write", path, action)) {
        if (strcmp(action, "short") == 0)
            length = length > 1 ? length / 2 : length;
        else if (act(action))
            return -1;
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (!logging() || at < 0) return real(fd, bytes, length);
    pthread_mutex_lock(&mutex);
    ssize_t done = logged_write(fd, bytes, length, at, path);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    pthread_mutex_unlock(&mutex);
    return done;
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd, size);
    if (fails("ftruncate", path)) return -1;
    if (!logging()) return real(fd, size);
    struct stat status;
    pthread_mutex_lock(&mutex);
    int failed = fstat(fd, &status) != 0 || real(fd, size) != 0;
    if (!failed) note('T', path, (uint64_t)size, NULL, (uint64_t)status.st_size, NULL, 0);
    pthread_mutex_unlock(&mutex);
    return failed ? -1 : 0;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int synced(int fd, const char *call, int (*real)(int)) {
    char path[PATH_MAX], action[32];
    if (!path_of(fd, path)) return real(fd);
    if (action_for(call, path, action)) {
        if (strcmp(action, "unsynced") == 0) return 0;
        if (act(action)) return -1;
    }
    if (!logging()) return real(fd);
    pthread_mutex_lock(&mutex);
    uint64_t upto = entries; /* what comes while the sync is under way it need not cover */
    pthread_mutex_unlock(&mutex);
    int failed = real(fd);
    if (failed) return failed;
    pthread_mutex_lock(&mutex);
    note('S', path, upto, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&mutex);
    return 0;
}
int fsync(int fd) {
    REAL(fsync);
    return synced(fd, "fsync", real);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return synced(fd, "fdatasync", real);
}

static int logged_rename(const char *from, const char *to, int (*real)(const char *, const char *, unsigned), unsigned flags) {
    if (fails("rename", to)) return -1;
    if (!logging()) return real(from, to, flags);
    char kept[PATH_MAX] = "";
    pthread_mutex_lock(&mutex);
    if (flags == 0) keep(to, kept);
    int failed = real(from, to, flags), reason = errno;
    if (!failed) note('R', from, 0, to, strlen(to), kept, strlen(kept));
    pthread_mutex_unlock(&mutex);
    errno = reason;
    return failed;
}
static int rename_plainly(const char *from, const char *to, unsigned flags) { return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags); }
int rename(const char *from, const char *to) { return logged_rename(from, to, rename_plainly, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    REAL(renameat2);
    if (from[0] != '/' || to[0] != '/') return real(from_dir, from, to_dir, to, flags);
    return logged_rename(from, to, rename_plainly, flags);
}

int unlink(const char *path) {
    REAL(unlink);
    if (fails("unlink", path)) return -1;
    if (!logging() || path[0] != '/') return real(path);
    char kept[PATH_MAX];
    pthread_mutex_lock(&mutex);
    keep(path, kept);
    int failed = real(path), reason = errno;
    if (!failed) note('U', path, 0, kept, strlen(kept), NULL, 0);
    pthread_mutex_unlock(&mutex);
    errno = reason;
    return failed;
}

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (fails("open", path)) return -1;
    if (!(flags & (O_CREAT | O_TRUNC)) || path[0] != '/' || !logging()) return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat status;
    pthread_mutex_lock(&mutex);
    int there = stat(path, &status) == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), reason = errno;
    if (fd >= 0 && !there) note('C', path, 0, NULL, 0, NULL, 0);
    if (fd >= 0 && there && (flags & O_TRUNC)) note('T', path, 0, NULL, (uint64_t)status.st_size, NULL, 0);
    pthread_mutex_unlock(&mutex);
    errno = reason;
    return fd;
}
int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open(path, flags, mode);
}
