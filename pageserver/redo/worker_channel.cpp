#include "pageserver/redo/worker_channel.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>

namespace bough::pageserver {

void WorkerChannel::ask(WorkerCall& call) {
    if (sent_ == out_.size()) {
        out_.clear();
        sent_ = 0;
    }
    if (call.apply)
        encode_apply(*call.apply, out_);
    else
        encode_mask(call.mask_resource_manager, call.mask_block, pg::ConstPage(call.page, pg::kPageBytes), out_);
    if (in_flight_.empty()) waiting_since_ = Clock::now();
    in_flight_.push_back(&call);
}

WorkerChannel::State WorkerChannel::pump() {
    const State sending = send_some();
    if (sending == State::broken) {
        // It may have answered some before it went.
        while (receive_some() == State::progress) {
        }
        return State::broken;
    }
    const State receiving = receive_some();
    if (receiving == State::broken) return State::broken;
    return sending == State::progress || receiving == State::progress ? State::progress : State::waiting;
}

WorkerChannel::State WorkerChannel::send_some() {
    if (sent_ == out_.size()) return State::waiting;
    const ssize_t n = send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? State::waiting : State::broken;
    sent_ += static_cast<std::size_t>(n);
    return State::progress;
}

WorkerChannel::State WorkerChannel::receive_some() {
    if (in_flight_.empty()) return State::waiting;
    const auto space = replies_.space();
    const ssize_t n = recv(socket_, space.data(), space.size(), 0);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? State::waiting : State::broken;
    if (n == 0) return State::broken;
    replies_.received(static_cast<std::size_t>(n));
    for (;;) {
        auto reply = replies_.next();
        if (!reply) return State::broken;
        if (!*reply) break;
        if (in_flight_.empty()) return State::broken;  // an answer to no question
        WorkerCall& call = *in_flight_.front();
        in_flight_.pop_front();
        finish(call, **reply);
        waiting_since_ = Clock::now();
    }
    return State::progress;
}

void WorkerChannel::finish(WorkerCall& call, const RedoReply& reply) {
    if (reply.ok) {
        std::memcpy(call.page, reply.body.data(), pg::kPageBytes);
        call.result->emplace();
        return;
    }
    const std::string_view text(reinterpret_cast<const char*>(reply.body.data()), reply.body.size());
    *call.result = Error{ErrorCode::corrupt, fmt::format("could not redo {}: {}", describe(call), text), {}};
}

std::deque<WorkerCall*> WorkerChannel::take_unanswered() { return std::exchange(in_flight_, {}); }

}  // namespace bough::pageserver
