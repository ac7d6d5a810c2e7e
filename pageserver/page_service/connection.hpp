// Private to this folder: one client of the page service.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "pageserver/branching/view.hpp"
#include "pageserver/page_service/branch_turns.hpp"
#include "pageserver/page_service/frames.hpp"
#include "pageserver/page_service/page_service.hpp"

namespace bough::pageserver {

// What all connections of a service share; outlives them.
struct PageServiceContext {
    const PageServiceOptions& options;
    Projects& projects;
    PageReader& reader;
    PageServiceMetrics& metrics;
    TurnsOfBranches turns;
    // Opens projects, which reads files: connections wait for that, threads that serve others do not. Its threads end before the service's.
    std::optional<boost::asio::thread_pool> openers;
};

// Everything runs on its executor, a strand, where at most one wait is under way (besides the timer). Kept alive by what it
// waits for; gone when it waits for nothing.
class PageConnection : public std::enable_shared_from_this<PageConnection> {
public:
    // Takes the connected, non-blocking socket over.
    PageConnection(PageServiceContext& context, const boost::asio::any_io_executor& strand, int socket, bool ask_token);
    ~PageConnection();
    void start();
    // Its turn has begun, see BranchTurns. From any thread.
    void resume();

private:
    enum class Next {
        go_on,    // with the next frame
        waiting,  // something will call proceed() later
        close,
    };

    void wait_for_input();
    void on_input();
    enum class Input { some, none_yet, ended };
    Input receive();
    // Answers the frames that are there, when it is its turn, then waits for more. Long work is divided into turns.
    void proceed();
    void take_turn();
    void answer_frames();
    Next handle(RequestFrame frame);
    Next hello(HelloFrame frame);
    Next greet(const HelloFrame& frame, const Result<std::shared_ptr<Branch>>& branch);
    Next get_pages(const GetPagesFrame& frame);
    Next read_and_answer(const GetPagesFrame& frame);
    Next wait_for_ingest(const GetPagesFrame& frame);
    void ingest_waited(const GetPagesFrame& frame, bool timed_out);
    Next answer(std::string_view prefix, std::span<const std::byte> pages);
    Next answer_error(std::uint64_t request_id, const Error& error);
    void continue_sending();
    void continue_with(Next next);
    void close();

    PageServiceContext& context_;
    boost::asio::any_io_executor strand_;
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer timer_;  // for the hello, later for waiting requests
    const bool ask_token_;
    FrameReader frames_;
    bool said_hello_ = false;
    std::shared_ptr<Branch> branch_;      // since the hello
    std::shared_ptr<BranchTurns> turns_;  // of the branch
    std::uint64_t branch_tag_ = 0;
    unsigned pages_of_turn_ = 0;
    std::optional<Cursor> cursor_;  // of this turn, once it reads
    std::vector<char> unsent_;      // of the answer under way
    std::size_t unsent_begin_ = 0;
    std::optional<Branch::Ticket> ticket_;
    std::optional<GetPagesFrame> due_;  // has waited for ingest, and is to be answered before all others
    std::uint64_t waits_ = 0;           // counts waits for ingest, so that a late call is known for one
};

}  // namespace bough::pageserver
