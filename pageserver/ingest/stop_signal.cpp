#include "pageserver/ingest/stop_signal.hpp"

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bough/check.hpp"

namespace bough::pageserver {

StopSignal::StopSignal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { BOUGH_CHECK(event_ >= 0); }

StopSignal::~StopSignal() { ::close(event_); }

void StopSignal::raise() {
    raised_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    BOUGH_CHECK(::write(event_, &one, sizeof(one)) == sizeof(one));
}

bool StopSignal::wait_for_socket(int socket, bool writable, std::chrono::milliseconds timeout) const {
    pollfd fds[2] = {{event_, POLLIN, 0}, {socket, static_cast<short>(writable ? POLLOUT : POLLIN), 0}};
    const int ready = ::poll(fds, socket >= 0 ? 2 : 1, static_cast<int>(timeout.count()));
    if (ready < 0) return errno == EINTR && !raised();
    return !raised() && ready > 0;
}

bool StopSignal::sleep(std::chrono::milliseconds duration) const {
    wait_for_socket(-1, false, duration);
    return !raised();
}

}  // namespace bough::pageserver
