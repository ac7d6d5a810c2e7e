// The pipelined conversation with one worker: calls go out in order, replies come back in order. Never blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/redo/redo_message.hpp"
#include "pageserver/redo/worker_call.hpp"
#include "pageserver/redo/worker_memory.hpp"

namespace bough::pageserver {

// Not thread-safe. Once a call says broken, the worker is to be buried and the channel with it.
class WorkerChannel {
public:
    using Clock = std::chrono::steady_clock;

    // Both must outlive the channel. The socket is non-blocking, and carries nothing but wake-ups.
    WorkerChannel(int socket, WorkerMemory& memory) : socket_(socket), memory_(memory) {}

    // False, and nothing happened, if there is no room for it now. `call` stays put until it is answered or taken back.
    bool ask(WorkerCall& call);

    enum class State { progress, waiting, broken };
    // Sends and receives what can be without waiting, and finishes the calls that are answered.
    State pump();

    // Around a wait for the socket to be readable, in which the worker sees to it that we wake. Before it: false if something has
    // come meanwhile. After it: false if the worker is gone.
    bool begin_sleep();
    bool end_sleep();
    // Whether pump() is likely to have something soon.
    bool worth_spinning() const { return !in_flight_.empty() && memory_.worth_spinning(); }
    bool has_replies() { return !memory_.replies().empty() || memory_.broken(); }

    std::size_t unanswered() const { return in_flight_.size(); }
    // When the oldest unanswered call was asked, or the call before it answered.
    Clock::time_point waiting_since() const { return waiting_since_; }
    // After a break: the calls that have no answer, oldest first. Which of them broke it is not known if there are several.
    std::deque<WorkerCall*> take_unanswered();

    int socket() const { return socket_; }

private:
    bool send_rest();
    State receive_some();
    void finish(WorkerCall& call, const RedoReply& reply);
    void ring_if_asleep();

    int socket_;
    WorkerMemory& memory_;
    std::vector<std::byte> rest_;  // of a request that is longer than the ring
    std::size_t rest_sent_ = 0;
    std::deque<WorkerCall*> in_flight_;
    Clock::time_point waiting_since_;
    bool gone_ = false;
};

}  // namespace bough::pageserver
