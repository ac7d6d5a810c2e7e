#include "pageserver/page_service/connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include "bough/check.hpp"
#include "pageserver/branching/restore_window.hpp"
#include "pageserver/page_service/answers.hpp"

namespace bough::pageserver {
namespace {

// Takes the same time whatever the strings have in common.
bool same_secret(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return difference == 0;
}

std::uint64_t next_branch_tag() {
    static std::atomic<std::uint64_t> last{
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count())};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Then others come first. Requests are not divided: the last one of a turn may be of 128 pages.
constexpr unsigned kPagesOfTurnMax = 64;

}  // namespace

void OpenConnections::add(std::shared_ptr<PageConnection> connection) {
    const std::lock_guard lock(mutex_);
    PageConnection* const key = connection.get();
    open_.emplace(key, std::move(connection));
}

void OpenConnections::remove(PageConnection& connection) {
    const std::lock_guard lock(mutex_);
    open_.erase(&connection);
}

void OpenConnections::clear() {
    std::unordered_map<PageConnection*, std::shared_ptr<PageConnection>> closed;
    const std::lock_guard lock(mutex_);
    closed.swap(open_);
}

PageConnection::PageConnection(PageServiceContext& context, boost::asio::io_context& timers, int socket, bool ask_token)
    : context_(context), socket_(socket), timer_(timers), ask_token_(ask_token) {
    context_.metrics.connections.fetch_add(1, std::memory_order_relaxed);
}

PageConnection::~PageConnection() {
    if (ticket_) Branch::cancel(*ticket_);
    if (open_) ::close(socket_);
    context_.metrics.connections.fetch_sub(1, std::memory_order_relaxed);
}

void PageConnection::start() {
    const std::lock_guard lock(mutex_);
    timer_.expires_after(context_.options.hello_timeout);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || self == nullptr || self->said_hello_) return;  // who has said it may hold the mutex for long
        const std::lock_guard its_lock(self->mutex_);
        if (self->said_hello_ || !self->open_) return;
        spdlog::warn("page service: dropped a connection that said nothing");
        (void)::shutdown(self->socket_, SHUT_RDWR);  // it waits for its socket, which so calls it
    });
    if (const auto watched = context_.threads->watch_first(socket_, *this); !watched) {
        spdlog::error("page service: dropped a connection: {}", watched.error().to_string());
        close();
    }
}

void PageConnection::close() {
    timer_.cancel();
    if (ticket_) Branch::cancel(*std::exchange(ticket_, std::nullopt));
    if (std::exchange(open_, false)) ::close(socket_);
    context_.connections.remove(*this);
}

void PageConnection::on_ready() {
    const auto self = shared_from_this();
    const std::lock_guard lock(mutex_);
    if (!unsent_.empty()) {
        const Next next = send_rest();
        return next == Next::go_on ? proceed() : follow(next);
    }
    switch (receive()) {
        case Input::some: return proceed();
        case Input::none_yet: return follow(Next::read_socket);
        case Input::ended: return close();
    }
}

PageConnection::Input PageConnection::receive() {
    std::array<std::byte, sizeof(BoughFrameHeader) + BOUGH_REQUEST_BODY_BYTES_MAX> buffer;
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Input::none_yet;
    if (got <= 0) return Input::ended;
    frames_.feed(std::span(buffer).first(static_cast<std::size_t>(got)));
    return Input::some;
}

template <class Call>
void PageConnection::post(Call call) {
    context_.threads->post([self = shared_from_this(), call = std::move(call)] {
        const std::lock_guard lock(self->mutex_);
        call(*self);
    });
}

void PageConnection::follow(Next next) {
    switch (next) {
        case Next::go_on: return proceed();
        case Next::later: return post([](PageConnection& self) { self.proceed(); });
        case Next::read_socket: return context_.threads->watch(socket_, *this, ServiceThreads::Readiness::readable);
        case Next::write_socket: return context_.threads->watch(socket_, *this, ServiceThreads::Readiness::writable);
        case Next::waiting: return;
        case Next::close: return close();
    }
}

void PageConnection::proceed() {
    if (turns_ == nullptr) return follow(answer_frames());
    if (turns_->begin(shared_from_this())) take_turn();
}

void PageConnection::resume() {
    post([](PageConnection& self) { self.take_turn(); });
}

void PageConnection::take_turn() {
    const Next next = answer_frames();
    cursor_.reset();
    turns_->end();
    follow(next);
}

PageConnection::Next PageConnection::answer_frames() {
    BOUGH_CHECK(Answers::of_this_thread().empty());
    const Next next = answer_those_there();
    // Who waits for its client or for ingest has sent all before.
    BOUGH_CHECK((next != Next::waiting && next != Next::write_socket) || Answers::of_this_thread().empty());
    const Next sent = send_answers();
    return sent == Next::go_on || next == Next::close ? next : sent;
}

PageConnection::Next PageConnection::answer_those_there() {
    pages_of_turn_ = 0;
    if (const auto due = std::exchange(due_, std::nullopt)) {
        const Next next = get_pages(*due);
        if (next != Next::go_on) return next;
    }
    while (true) {
        if (pages_of_turn_ >= kPagesOfTurnMax) return Next::later;
        auto frame = frames_.next();
        if (!frame) {
            context_.metrics.garbage.fetch_add(1, std::memory_order_relaxed);
            spdlog::warn("page service: dropped a connection: {}", frame.error().to_string());
            return Next::close;
        }
        if (!*frame) {
            if (const Next sent = send_answers(); sent != Next::go_on) return sent;
            // A client with several requests in flight has sent the next meanwhile: to sleep first would cost more than a page.
            const Input input = receive();
            if (input == Input::some) continue;
            return input == Input::none_yet ? Next::read_socket : Next::close;
        }
        const bool was_known = turns_ != nullptr;
        const Next next = handle(std::move(**frame));
        if (next != Next::go_on || !was_known) return next;  // what came with the hello takes a turn
    }
}

PageConnection::Next PageConnection::handle(RequestFrame frame) {
    const bool is_hello = std::holds_alternative<HelloFrame>(frame);
    if (is_hello != (branch_ == nullptr)) {
        context_.metrics.garbage.fetch_add(1, std::memory_order_relaxed);
        spdlog::warn("page service: dropped a connection: {}", is_hello ? "a second hello" : "a request before the hello");
        return Next::close;
    }
    return is_hello ? hello(std::get<HelloFrame>(std::move(frame))) : get_pages(std::get<GetPagesFrame>(frame));
}

PageConnection::Next PageConnection::hello(HelloFrame frame) {
    said_hello_ = true;
    timer_.cancel();
    const auto place = [&]() -> Result<std::pair<ProjectId, BranchId>> {
        if (frame.version != BOUGH_PAGE_SERVICE_VERSION)
            return Error{ErrorCode::unsupported,
                         "the page service speaks version " + std::to_string(BOUGH_PAGE_SERVICE_VERSION) +
                             ", the client version " + std::to_string(frame.version),
                         "run bough.so and the pageserver of the same release"};
        if (ask_token_ && !same_secret(frame.token, context_.options.token))
            return Error{ErrorCode::unauthenticated, "wrong token", {}};
        BOUGH_ASSIGN(const auto project, ProjectId::parse(frame.project));
        BOUGH_ASSIGN(const auto branch, BranchId::parse(frame.branch));
        return std::pair{project, branch};
    }();
    if (!place) return greet(frame, place.error());
    if (const auto branch = context_.projects.branch_if_open(place->first, place->second)) return greet(frame, *branch);
    context_.metrics.opening.fetch_add(1, std::memory_order_relaxed);
    boost::asio::post(*context_.openers, [self = shared_from_this(), frame = std::move(frame), place = *place] {
        auto branch = self->context_.projects.branch(place.first, place.second);
        self->context_.metrics.opening.fetch_sub(1, std::memory_order_relaxed);
        self->post([frame, branch = std::move(branch)](PageConnection& known) { known.follow(known.greet(frame, branch)); });
    });
    return Next::waiting;
}

PageConnection::Next PageConnection::greet(const HelloFrame& frame, const Result<std::shared_ptr<Branch>>& branch) {
    if (!branch) {
        spdlog::warn("page service: refused a client for branch {:.60}/{:.60}: {}", frame.project, frame.branch,
                     branch.error().to_string());
        (void)answer_error(0, branch.error());
        return Next::close;
    }
    branch_ = *branch;
    turns_ = context_.turns.of(*branch_);
    branch_tag_ = next_branch_tag();
    return answer(encode_hello_ok(branch_tag_));
}

PageConnection::Next PageConnection::get_pages(const GetPagesFrame& frame) {
    if (branch_->readable_at(frame.lsn)) {
        context_.metrics.requests.fetch_add(1, std::memory_order_relaxed);
        return read_and_answer(frame);
    }
    if (const Next sent = send_answers(); sent != Next::go_on) {
        due_ = frame;
        return sent;
    }
    context_.metrics.requests.fetch_add(1, std::memory_order_relaxed);
    return wait_for_ingest(frame);
}

PageConnection::Next PageConnection::read_and_answer(const GetPagesFrame& frame) {
    Answers& answers = Answers::of_this_thread();
    if (answers.due_before(frame.count)) {
        if (const Next sent = send_answers(); sent != Next::go_on) {
            due_ = frame;
            return sent;
        }
    }
    const std::span<std::byte> pages = answers.room(frame.count);
    Lsn at;
    Result<void> read;
    if (!cursor_) cursor_ = branch_->store().cursor();
    pages_of_turn_ += frame.count;
    Next sent = Next::go_on;
    // The pages are read behind those that are sent, so that those may go.
    const PageReader::Call before_redo = [this, &sent] {
        if (sent == Next::go_on) sent = send_answers();
    };
    // The newest can fall out of a short restore window while it is read; what is newer by then is as good an answer.
    do {
        at = frame.exact ? frame.lsn : branch_->ingest_lsn();
        read = check_history_reaches(*branch_, at);
        if (read) read = context_.reader.read(*branch_, *cursor_, frame.tag.fork, frame.tag.block, pages, at, &before_redo);
    } while (!read && !frame.exact && !branch_->keeps(at) && branch_->ingest_lsn() > at);
    if (sent == Next::close) return sent;
    if (branch_->deleted()) read = Error{ErrorCode::not_found, "branch \"" + branch_->row().id.str() + "\" was deleted", {}};
    if (!read) {
        spdlog::error("branch {}: could not read pages at {}: {}", branch_->name(), at.to_string(), read.error().to_string());
        return answer_error(frame.request_id, read.error());
    }
    context_.metrics.pages.fetch_add(frame.count, std::memory_order_relaxed);
    const PagesPrefix prefix = encode_pages_prefix(frame, branch_tag_, at);
    if (sent == Next::write_socket) {
        append_unsent({prefix.data(), prefix.size()});
        append_unsent({reinterpret_cast<const char*>(pages.data()), pages.size()});
        return sent;
    }
    answers.add(this, prefix, pages);
    return answers.due() ? send_answers() : Next::go_on;
}

PageConnection::Next PageConnection::wait_for_ingest(const GetPagesFrame& frame) {
    const std::uint64_t wait = ++waits_;
    // Whatever comes first, the call or the timer, ends the wait; the other is then of an earlier wait.
    ticket_ = branch_->when_readable(frame.lsn, [weak = weak_from_this(), frame, wait] {
        const auto self = weak.lock();
        if (self != nullptr) self->post_ingest_waited(frame, wait, false);
    });
    if (!ticket_) return branch_->deleted() ? read_and_answer(frame) : get_pages(frame);
    context_.metrics.waiting.fetch_add(1, std::memory_order_relaxed);
    timer_.expires_after(context_.options.ingest_timeout);
    timer_.async_wait([weak = weak_from_this(), frame, wait](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (!cancelled && self != nullptr) self->post_ingest_waited(frame, wait, true);
    });
    return Next::waiting;
}

void PageConnection::post_ingest_waited(const GetPagesFrame& frame, std::uint64_t wait, bool timed_out) {
    context_.threads->post([self = shared_from_this(), frame, wait, timed_out] {
        // Too late to be looked at: the connection may be in the middle of a turn.
        if (self->waits_ != wait) return;
        const std::lock_guard lock(self->mutex_);
        if (self->waits_ == wait) self->ingest_waited(frame, timed_out);
    });
}

void PageConnection::ingest_waited(const GetPagesFrame& frame, bool timed_out) {
    ++waits_;
    context_.metrics.waiting.fetch_sub(1, std::memory_order_relaxed);
    if (ticket_) Branch::cancel(*std::exchange(ticket_, std::nullopt));
    timer_.cancel();
    if (!timed_out || branch_->readable_at(frame.lsn)) {
        due_ = frame;
        return proceed();
    }
    follow(
        answer_error(frame.request_id, Error{ErrorCode::timeout,
                                             "branch \"" + branch_->row().id.str() + "\" has been ingested up to " +
                                                 branch_->ingest_lsn().to_string() + " only, not up to " + frame.lsn.to_string(),
                                             {}}));
}

PageConnection::Next PageConnection::answer_error(std::uint64_t request_id, const Error& error) {
    context_.metrics.errors.fetch_add(1, std::memory_order_relaxed);
    ++pages_of_turn_;  // so that errors without end are no turn without end
    return answer(encode_error(request_id, error));
}

PageConnection::Next PageConnection::answer(std::string_view frame) {
    if (const Next sent = send_answers(); sent != Next::go_on && sent != Next::write_socket) return sent;
    if (!unsent_.empty()) {
        append_unsent(frame);
        return Next::write_socket;
    }
    iovec part{const_cast<char*>(frame.data()), frame.size()};
    return send({&part, 1});
}

void PageConnection::append_unsent(std::string_view bytes) { unsent_.insert(unsent_.end(), bytes.begin(), bytes.end()); }

PageConnection::Next PageConnection::send_answers() {
    Answers& answers = Answers::of_this_thread();
    if (answers.empty()) return Next::go_on;
    const Next sent = send(answers.parts(this));
    answers.clear();
    return sent;
}

PageConnection::Next PageConnection::send(std::span<iovec> parts) {
    BOUGH_CHECK(unsent_.empty());
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) return Next::close;
    auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    unsent_begin_ = 0;
    for (const iovec& part : parts) {
        const std::size_t of_part = std::min(done, part.iov_len);
        done -= of_part;
        // The client is slow: the rest waits in memory of its own.
        append_unsent({static_cast<const char*>(part.iov_base) + of_part, part.iov_len - of_part});
    }
    return unsent_.empty() ? Next::go_on : Next::write_socket;
}

PageConnection::Next PageConnection::send_rest() {
    const ssize_t sent = ::send(socket_, unsent_.data() + unsent_begin_, unsent_.size() - unsent_begin_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Next::close;
    unsent_begin_ += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    if (unsent_begin_ < unsent_.size()) return Next::write_socket;
    std::vector<char>().swap(unsent_);
    return Next::go_on;
}

}  // namespace bough::pageserver
