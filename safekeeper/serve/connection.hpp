// One client's socket with deadlines: what its session reads and writes through.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "safekeeper/receive/stop_signal.hpp"
#include "safekeeper/segment/durable_file.hpp"

namespace bough::safekeeper::serve {

// Used by one thread. Waits end with ErrorCode::unavailable when `stop` is raised or the client has gone, with timeout when a
// deadline passes.
class Connection {
public:
    Connection(segment::FileDescriptor socket, const receive::StopSignal& stop);

    // All of it, or an error.
    Result<void> send(std::string_view bytes);

    // What was received and not yet dropped.
    std::string_view input() const { return std::string_view(input_).substr(taken_); }
    void drop_input(std::size_t bytes);
    // Waits for at least one more byte.
    Result<void> receive(std::chrono::steady_clock::time_point deadline);
    // Takes what has arrived, without waiting.
    Result<void> receive_arrived();
    // Until something has arrived, `other` is readable, or `timeout` is over.
    Result<void> wait(int other, std::chrono::milliseconds timeout);

private:
    Result<bool> read_some();

    segment::FileDescriptor socket_;
    const receive::StopSignal& stop_;
    std::string input_;
    std::size_t taken_ = 0;
};

}  // namespace bough::safekeeper::serve
