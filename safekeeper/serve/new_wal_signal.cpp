#include "safekeeper/serve/new_wal_signal.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "bough/check.hpp"

namespace bough::safekeeper::serve {

NewWalSignal::NewWalSignal() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { BOUGH_CHECK(fd_ >= 0); }

NewWalSignal::~NewWalSignal() { ::close(fd_); }

void NewWalSignal::arm() { armed_.store(true); }

void NewWalSignal::disarm() {
    armed_.store(false);
    std::uint64_t count = 0;
    [[maybe_unused]] auto got = ::read(fd_, &count, sizeof count);
}

void NewWalSignal::notify() {
    if (!armed_.exchange(false)) return;
    std::uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(fd_, &one, sizeof one);
}

}  // namespace bough::safekeeper::serve
