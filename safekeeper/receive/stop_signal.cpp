#include "safekeeper/receive/stop_signal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "bough/check.hpp"

namespace bough::safekeeper::receive {

StopSignal::StopSignal() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { BOUGH_CHECK(fd_ >= 0); }

StopSignal::~StopSignal() { ::close(fd_); }

void StopSignal::raise() {
    std::uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(fd_, &one, sizeof one);  // fails only when it is raised already
}

bool StopSignal::raised() const {
    pollfd p{fd_, POLLIN, 0};
    return ::poll(&p, 1, 0) > 0;
}

void StopSignal::wait(std::chrono::milliseconds timeout) const {
    pollfd p{fd_, POLLIN, 0};
    ::poll(&p, 1, static_cast<int>(timeout.count()));
}

}  // namespace bough::safekeeper::receive
