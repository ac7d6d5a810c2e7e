// The pipelined conversation with one worker: calls go out in order, replies come back in order. Never blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/redo/redo_message.hpp"
#include "pageserver/redo/worker_call.hpp"

namespace bough::pageserver {

// Not thread-safe. Once a call says broken, the worker is to be buried and the channel with it.
class WorkerChannel {
public:
    using Clock = std::chrono::steady_clock;

    explicit WorkerChannel(int socket) : socket_(socket) {}

    // Whether to give it more before what it has is on its way.
    bool wants_more() const { return out_.size() - sent_ < kBacklogBytes; }
    void ask(WorkerCall& call);  // `call` stays put until it is answered or taken back

    enum class State { progress, waiting, broken };
    // Sends and receives what can be without waiting, and finishes the calls that are answered.
    State pump();

    bool wants_to_send() const { return sent_ < out_.size(); }
    std::size_t unanswered() const { return in_flight_.size(); }
    // When the oldest unanswered call was asked, or the call before it answered.
    Clock::time_point waiting_since() const { return waiting_since_; }
    // After a break: the calls that have no answer, oldest first. Which of them broke it is not known if there are several.
    std::deque<WorkerCall*> take_unanswered();

    int socket() const { return socket_; }

private:
    static constexpr std::size_t kBacklogBytes = 256 * 1024;

    State send_some();
    State receive_some();
    void finish(WorkerCall& call, const RedoReply& reply);

    int socket_;
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;
    ReplyReader replies_;
    std::deque<WorkerCall*> in_flight_;
    Clock::time_point waiting_since_;
};

}  // namespace bough::pageserver
