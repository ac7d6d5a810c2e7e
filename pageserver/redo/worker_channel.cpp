#include "pageserver/redo/worker_channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>

namespace bough::pageserver {
namespace {

void encode(const WorkerCall& call, std::span<std::byte> out) {
    if (call.apply)
        encode_apply(*call.apply, out);
    else
        encode_mask(call.mask_resource_manager, call.mask_block, pg::ConstPage(call.page, pg::kPageBytes), out);
}

}  // namespace

bool WorkerChannel::ask(WorkerCall& call) {
    if (!rest_.empty()) return false;
    const std::size_t bytes = call.apply ? encoded_size(*call.apply) : encoded_mask_size();
    if (bytes <= BOUGH_REDO_REQUEST_RING_BYTES) {
        const auto room = memory_.room(bytes);
        if (room.empty()) {
            // One that has answered everything has read everything.
            gone_ = gone_ || in_flight_.empty();
            return false;
        }
        encode(call, room.first(bytes));
        memory_.sent(bytes);
        ring_if_asleep();
    } else {
        rest_.resize(bytes);
        encode(call, rest_);
    }
    if (in_flight_.empty()) waiting_since_ = Clock::now();
    in_flight_.push_back(&call);
    return true;
}

WorkerChannel::State WorkerChannel::pump() {
    const bool sent = send_rest();
    const State receiving = receive_some();
    if (receiving == State::broken || memory_.broken() || (gone_ && receiving == State::waiting)) return State::broken;
    if (receiving == State::progress) ring_if_asleep();
    return sent || receiving == State::progress ? State::progress : State::waiting;
}

bool WorkerChannel::send_rest() {
    if (rest_.empty()) return false;
    const auto room = memory_.room(1);
    if (room.empty()) return false;
    const std::size_t bytes = std::min(room.size(), rest_.size() - rest_sent_);
    std::memcpy(room.data(), rest_.data() + rest_sent_, bytes);
    memory_.sent(bytes);
    rest_sent_ += bytes;
    if (rest_sent_ == rest_.size()) {
        rest_ = {};
        rest_sent_ = 0;
    }
    ring_if_asleep();
    return true;
}

WorkerChannel::State WorkerChannel::receive_some() {
    const auto bytes = memory_.replies();
    std::size_t used = 0;
    State state = State::waiting;
    while (used < bytes.size()) {
        const auto reply = parse_reply(bytes.subspan(used));
        // Replies come whole, and to a question.
        if (!reply || !*reply || in_flight_.empty()) {
            state = State::broken;
            break;
        }
        WorkerCall& call = *in_flight_.front();
        in_flight_.pop_front();
        finish(call, **reply);
        used += (*reply)->whole_bytes;
        state = State::progress;
    }
    if (used > 0) {
        memory_.received(used);
        waiting_since_ = Clock::now();
    }
    return state;
}

void WorkerChannel::finish(WorkerCall& call, const RedoReply& reply) {
    if (reply.ok) {
        std::memcpy(call.page, reply.body.data(), pg::kPageBytes);
        call.result->emplace();
        return;
    }
    const std::string text(reinterpret_cast<const char*>(reply.body.data()), reply.body.size());
    *call.result = Error{ErrorCode::corrupt, fmt::format("could not redo {}: {}", describe(call), text), {}};
}

// A full socket has bytes enough to wake it.
void WorkerChannel::ring_if_asleep() {
    if (!memory_.must_ring()) return;
    const char bell = 0;
    if (send(socket_, &bell, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        gone_ = true;
}

bool WorkerChannel::begin_sleep() {
    memory_.begin_sleep();
    return !has_replies() && !(!rest_.empty() && !memory_.room(1).empty());
}

bool WorkerChannel::end_sleep() {
    memory_.end_sleep();
    std::array<char, 64> bells;
    const ssize_t n = recv(socket_, bells.data(), bells.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) gone_ = true;
    return !gone_;
}

std::deque<WorkerCall*> WorkerChannel::take_unanswered() { return std::exchange(in_flight_, {}); }

}  // namespace bough::pageserver
