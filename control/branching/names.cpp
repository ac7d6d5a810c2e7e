#include "control/branching/names.hpp"

#include <sys/random.h>

#include "bough/check.hpp"

namespace bough::control {
namespace {

// `length` characters of a-z and 2-7: five random bits each.
std::string random_text(std::size_t length) {
    static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[64];
    BOUGH_CHECK(length <= sizeof bytes);
    BOUGH_CHECK(::getrandom(bytes, length, 0) == static_cast<ssize_t>(length));
    std::string result;
    for (std::size_t i = 0; i < length; ++i) result += kAlphabet[bytes[i] & 31];
    return result;
}

template <class T>
T id_with(const char* prefix) {
    return *T::parse(prefix + random_text(16));
}

}  // namespace

Result<void> check_name(const std::string& name, const std::string& what) {
    bool good = !name.empty() && name.size() <= 63 && name.front() != ' ' && name.back() != ' ';
    for (char c : name) good = good && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    if (good) return {};
    return Error{ErrorCode::invalid_argument, "invalid " + what + " name \"" + name.substr(0, 80) + "\"",
                 "a name is 1 to 63 bytes long, without control characters and without spaces at its ends"};
}

ProjectId new_project_id() { return id_with<ProjectId>("pr-"); }
BranchId new_branch_id() { return id_with<BranchId>("br-"); }
EndpointId new_endpoint_id() { return id_with<EndpointId>("ep-"); }
SnapshotId new_snapshot_id() { return id_with<SnapshotId>("sn-"); }

SystemId new_system_id() {
    std::uint64_t value = 0;
    BOUGH_CHECK(::getrandom(&value, sizeof value, 0) == sizeof value);
    return SystemId{(value >> 1) | 1};  // tools print it signed
}

std::string new_password() { return random_text(32); }

}  // namespace bough::control
