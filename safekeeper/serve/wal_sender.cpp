#include "safekeeper/serve/wal_sender.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "pgwire/message.hpp"
#include "pgwire/reply.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::serve {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessageBytesMax = 128 << 10;  // of WAL in one message, as walsenders have it
constexpr std::size_t kWalHeaderBytes = 1 + 8 + 8 + 8;
constexpr std::size_t kClientBodyBytesMax = 1 << 16;
// After a message the next one is let grow: a wake-up for each commit would take as much time as the commit. The longer WAL has come
// without a pause the longer; the first after a pause goes at once.
constexpr std::chrono::milliseconds kGatherMin = 2ms;
constexpr std::chrono::milliseconds kGatherMax = 8ms;
constexpr auto kKeepaliveInterval = 10s;
constexpr auto kSilenceMax = 60s;

std::uint64_t postgres_now() {
    auto now = std::chrono::system_clock::now().time_since_epoch() - std::chrono::seconds(946684800);
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

// Removes the signal from the source however the copy ends.
class Subscription {
public:
    Subscription(WalSource& source, NewWalSignal& signal) : source_(source), signal_(signal) { source_.add_reader(signal_); }
    ~Subscription() { source_.remove_reader(signal_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

private:
    WalSource& source_;
    NewWalSignal& signal_;
};

class Sender {
public:
    Sender(Connection& connection, WalSource& source, const ReadOptions& options, Lsn start)
        : connection_(connection), source_(source), options_(options), generation_(source.term_generation()),
          log_number_(source.log_number()), reader_(source.place()), sent_(start), subscription_(source, signal_) {}

    Result<void> run() {
        // Only now that its changes are seen, so that none is missed.
        BOUGH_TRY(source_.check_term(options_));
        std::string out;
        pgwire::append_copy_both_response(out);
        BOUGH_TRY(connection_.send(out));
        for (;;) {
            BOUGH_ASSIGN(bool ended, take_messages());
            if (ended) return finish();
            Lsn end = source_.readable_end(options_.uncommitted);
            if (sent_ < end) {
                BOUGH_TRY(send_some(end));
                continue;
            }
            BOUGH_TRY(rest());
        }
    }

private:
    Result<void> check_term() {
        if (source_.term_generation() == generation_) return {};
        if (options_.uncommitted)
            return Error{ErrorCode::failed_precondition, "the branch's term has changed", "connect again"};
        return source_.check_term(options_);
    }

    Result<void> send_some(Lsn end) {
        auto length = std::min<std::uint64_t>(end - sent_, kMessageBytesMax);
        buffer_.clear();
        pgwire::append_copy_data_frame(buffer_, kWalHeaderBytes + length);
        buffer_ += 'w';
        pgwire::append_u64(buffer_, sent_.value);
        pgwire::append_u64(buffer_, end.value);
        pgwire::append_u64(buffer_, postgres_now());
        auto header = buffer_.size();
        buffer_.resize(header + length);
        auto into = std::as_writable_bytes(std::span(buffer_)).subspan(header);
        BOUGH_TRY(reader_.read_all(sent_, into));
        // Read before the log could be cut or begin anew, or not at all.
        BOUGH_TRY(check_term());
        if (source_.log_number() != log_number_)
            return Error{ErrorCode::not_found, "requested WAL segment " + source_.place().name_of(source_.place().segment_at(sent_)) +
                                                   " has already been removed", {}};
        BOUGH_TRY(connection_.send(buffer_));
        sent_ = sent_ + length;
        gather_ = std::exchange(paused_, false) ? kGatherMin : std::min(gather_ * 2, kGatherMax);
        last_sent_ = Clock::now();
        return {};
    }

    // Nothing to send: until there is, or the client says something, or it is time for a sign of life.
    Result<void> rest() {
        if (Clock::now() - last_sent_ < gather_) return connection_.wait(-1, gather_);
        if (buffer_.capacity() > (8 << 10)) buffer_ = {};  // a reader of an idle branch costs little
        signal_.arm();
        bool idle = source_.readable_end(options_.uncommitted) <= sent_ &&
                    (!options_.uncommitted || source_.term_generation() == generation_);
        paused_ = idle;
        auto waited = idle ? connection_.wait(signal_.descriptor(), kKeepaliveInterval) : Result<void>{};
        signal_.disarm();
        BOUGH_TRY(waited);
        BOUGH_TRY(check_term());
        auto now = Clock::now();
        if (now - last_heard_ > kSilenceMax) return Error{ErrorCode::timeout, "the client is silent", {}};
        if (now - last_heard_ >= kKeepaliveInterval && now - last_keepalive_ >= kKeepaliveInterval) {
            last_keepalive_ = now;
            return send_keepalive(true);
        }
        return {};
    }

    Result<void> send_keepalive(bool reply_requested) {
        std::string body = "k";
        pgwire::append_u64(body, source_.readable_end(options_.uncommitted).value);
        pgwire::append_u64(body, postgres_now());
        pgwire::append_u8(body, reply_requested ? 1 : 0);
        std::string out;
        pgwire::append_copy_data(out, body);
        return connection_.send(out);
    }

    // True when the client has ended the copy.
    Result<bool> take_messages() {
        BOUGH_TRY(connection_.receive_arrived());
        for (;;) {
            BOUGH_ASSIGN(auto message, pgwire::parse_message(connection_.input(), kClientBodyBytesMax));
            if (!message) return false;
            last_heard_ = Clock::now();
            char type = message->type;
            bool wants_answer = type == 'd' && message->body.size() == 34 && message->body[0] == 'r' && message->body[33] != 0;
            connection_.drop_input(message->size);
            if (type == 'X') return Error{ErrorCode::unavailable, "the client has closed the connection", {}};
            if (type == 'c') return true;
            if (type != 'd') return Error{ErrorCode::invalid_argument, "unexpected message in a copy", {}};
            if (wants_answer) BOUGH_TRY(send_keepalive(false));
        }
    }

    Result<void> finish() {
        std::string out;
        pgwire::append_copy_done(out);
        // Two of them, as walsenders do and walreceivers expect.
        pgwire::append_command_complete(out, "START_STREAMING");
        pgwire::append_command_complete(out, "START_REPLICATION");
        pgwire::append_ready_for_query(out);
        return connection_.send(out);
    }

    Connection& connection_;
    WalSource& source_;
    const ReadOptions options_;
    const std::uint64_t generation_;
    const std::uint64_t log_number_;
    segment::WalReader reader_;
    Lsn sent_;
    NewWalSignal signal_;
    Subscription subscription_;
    std::string buffer_;
    std::chrono::milliseconds gather_ = kGatherMin;
    bool paused_ = true;  // there was nothing to send for a while
    Clock::time_point last_sent_{};
    Clock::time_point last_heard_ = Clock::now();
    Clock::time_point last_keepalive_{};
};

}  // namespace

Result<void> send_wal(Connection& connection, WalSource& source, const ReadOptions& options, Lsn start) {
    return Sender(connection, source, options, start).run();
}

}  // namespace bough::safekeeper::serve
