#include "cli/privileges.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace bough::cli {
namespace {

Result<const passwd*> user_for(const std::string& data_dir) {
    struct stat status {};
    if (::stat(data_dir.c_str(), &status) == 0 && status.st_uid != 0) {
        if (const auto* owner = ::getpwuid(status.st_uid)) return owner;
        return Error{ErrorCode::failed_precondition, data_dir + " belongs to user id " + std::to_string(status.st_uid) + ", which has no name", {}};
    }
    for (const char* name : {"bough", "postgres"})
        if (const auto* user = ::getpwnam(name)) return user;
    return Error{ErrorCode::failed_precondition, "there is no unprivileged user to run as", "install Debian's package postgresql-15, which makes the user postgres"};
}

// Made by root and given to the user, when its parent is not the user's to write in.
Result<void> make_for(const std::string& data_dir, const passwd& user) {
    std::error_code failed;
    if (!std::filesystem::exists(data_dir, failed)) {
        auto parent = std::filesystem::path(data_dir).parent_path();
        std::filesystem::create_directories(parent, failed);
        if (::mkdir(data_dir.c_str(), 0700) != 0) return io_error("cannot create " + data_dir, errno);
    }
    struct stat status {};
    if (::stat(data_dir.c_str(), &status) != 0) return io_error("cannot look at " + data_dir, errno);
    if (status.st_uid == user.pw_uid) return {};
    if (!std::filesystem::is_empty(data_dir, failed)) {
        return Error{ErrorCode::failed_precondition, data_dir + " belongs to root and is not empty",
                     "give it to an unprivileged user (chown -R " + std::string(user.pw_name) + " " + data_dir + "), or choose another --data-dir"};
    }
    if (::chown(data_dir.c_str(), user.pw_uid, user.pw_gid) != 0) return io_error("cannot give " + data_dir + " to " + user.pw_name, errno);
    return {};
}

}  // namespace

Result<void> become_unprivileged(const std::string& data_dir) {
    if (::geteuid() != 0) return {};
    BOUGH_ASSIGN(const passwd* user, user_for(data_dir));
    BOUGH_TRY(make_for(data_dir, *user));
    if (::initgroups(user->pw_name, user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)
        return io_error(std::string("cannot become user ") + user->pw_name, errno);
    if (::access(data_dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        return Error{ErrorCode::failed_precondition, "user " + std::string(user->pw_name) + " cannot reach " + data_dir,
                     "a directory above it is closed to others; choose another --data-dir, such as /var/lib/bough"};
    }
    // HOME of root would only lead programs to files they may not read.
    ::setenv("HOME", data_dir.c_str(), 1);
    return {};
}

}  // namespace bough::cli
