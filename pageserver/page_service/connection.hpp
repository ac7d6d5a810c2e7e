// Private to this folder: one client of the page service.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "pageserver/branching/view.hpp"
#include "pageserver/page_service/branch_turns.hpp"
#include "pageserver/page_service/frames.hpp"
#include "pageserver/page_service/page_service.hpp"
#include "pageserver/page_service/service_threads.hpp"

namespace bough::pageserver {

// Keeps connections until they close. Thread-safe.
class OpenConnections {
public:
    void add(std::shared_ptr<PageConnection> connection);
    void remove(PageConnection& connection);
    void clear();

private:
    std::mutex mutex_;
    std::unordered_map<PageConnection*, std::shared_ptr<PageConnection>> open_;  // under mutex_
};

// What all connections of a service share; outlives them.
struct PageServiceContext {
    const PageServiceOptions& options;
    Projects& projects;
    PageReader& reader;
    PageServiceMetrics& metrics;
    TurnsOfBranches turns;
    // Opens projects, which reads files: connections wait for that, threads that serve others do not. Its threads end before the service's.
    std::optional<boost::asio::thread_pool> openers;
    std::unique_ptr<ServiceThreads> threads;
    OpenConnections connections;
};

// One call at a time, on the service's threads: its mutex is held throughout. Between calls it waits for one thing: its socket, a turn, its
// project, or ingest (and the timer); what that is calls next, and nothing else does. So only who is called closes it.
class PageConnection final : public std::enable_shared_from_this<PageConnection>, private ServiceThreads::Socket {
public:
    // Takes the connected, non-blocking socket over. The timer is run by `timers`.
    PageConnection(PageServiceContext& context, boost::asio::io_context& timers, int socket, bool ask_token);
    ~PageConnection();
    void start();
    // Its turn has begun, see BranchTurns. From any thread.
    void resume();

private:
    // What there is to be done, or waited for.
    enum class Next {
        go_on,        // with the frames that are there
        later,        // the same, when others have had their turn
        read_socket,  // when there is something
        write_socket,
        waiting,      // for something that calls
        close,
    };

    void on_ready() override;
    enum class Input { some, none_yet, ended };
    Input receive();
    // `call` with the mutex, on one of the service's threads.
    template <class Call>
    void post(Call call);
    void follow(Next next);
    // Answers the frames that are there, when it is its turn. Long work is divided into turns.
    void proceed();
    void take_turn();
    Next answer_frames();
    Next answer_those_there();
    Next handle(RequestFrame frame);
    Next hello(HelloFrame frame);
    Next greet(const HelloFrame& frame, const Result<std::shared_ptr<Branch>>& branch);
    Next get_pages(const GetPagesFrame& frame);
    Next read_and_answer(const GetPagesFrame& frame);
    Next wait_for_ingest(const GetPagesFrame& frame);
    void post_ingest_waited(const GetPagesFrame& frame, std::uint64_t wait, bool timed_out);
    void ingest_waited(const GetPagesFrame& frame, bool timed_out);
    Next answer(std::string_view frame);
    // What Answers has of this thread, which is this client's.
    Next send_answers();
    Next send(std::span<iovec> parts);
    void append_unsent(std::string_view bytes);
    Next answer_error(std::uint64_t request_id, const Error& error);
    Next send_rest();
    void close();

    PageServiceContext& context_;
    std::mutex mutex_;
    const int socket_;
    bool open_ = true;                 // under mutex_, as the rest
    boost::asio::steady_timer timer_;  // for the hello, later for waiting requests
    const bool ask_token_;
    FrameReader frames_;
    std::atomic<bool> said_hello_ = false;
    std::shared_ptr<Branch> branch_;      // since the hello
    std::shared_ptr<BranchTurns> turns_;  // of the branch
    std::uint64_t branch_tag_ = 0;
    unsigned pages_of_turn_ = 0;
    std::optional<Cursor> cursor_;  // of this turn, once it reads
    std::vector<char> unsent_;      // of answers under way
    std::size_t unsent_begin_ = 0;
    std::optional<Branch::Ticket> ticket_;
    std::optional<GetPagesFrame> due_;  // to be answered before all others: it waited for ingest, or others had to be sent first
    std::atomic<std::uint64_t> waits_ = 0;  // counts waits for ingest, so that a late call is known for one
};

}  // namespace bough::pageserver
