// Serves pages to computes: proto/page_service.h on a Unix socket, and on loopback TCP with a token.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "net/address.hpp"
#include "pageserver/branching/projects.hpp"
#include "pageserver/read/page_reader.hpp"

namespace bough::pageserver {

struct PageServiceOptions {
    std::vector<net::Address> listen;
    std::string token;  // asked of TCP clients; TCP is refused without one
    std::size_t threads = 8;
    std::size_t connections_max = 16'384;
    std::chrono::milliseconds hello_timeout{10'000};
    std::chrono::milliseconds ingest_timeout{30'000};  // how long a request waits for its LSN
};

struct PageServiceMetrics {
    std::atomic<std::uint64_t> connections{0};  // open now
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> pages{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> garbage{0};        // connections dropped for what they sent
    std::atomic<std::uint64_t> waiting{0};        // requests waiting for ingest now
    std::atomic<std::uint64_t> turns_waiting{0};  // connections waiting for a turn now, see below
    std::atomic<std::uint64_t> opening{0};        // connections waiting for their project to be opened now
};

// A pool of threads waits for all connections; the one that is woken reads the request, makes the pages and answers, so that a
// request costs one wake-up and an idle connection costs none. Requests of one connection are answered in order. The connections of one
// branch have all threads but one at most; the others of them wait their turn, and the connections of other branches do not wait for them.
// A project that is not open is opened by threads of their own.
// Listens from start() to destruction. Thread-safe.
class PageService {
public:
    // failed_precondition: address taken, or TCP that is not loopback or lacks a token.
    static Result<std::unique_ptr<PageService>> start(PageServiceOptions options, Projects& projects, PageReader& reader);
    // Before it, whoever ingests or deletes branches must have ended.
    ~PageService();
    PageService(const PageService&) = delete;
    PageService& operator=(const PageService&) = delete;

    const PageServiceMetrics& metrics() const;

private:
    struct Impl;
    explicit PageService(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pageserver
