// Follows one branch's WAL: a thread that reads it from the safekeepers and ingests it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/ingest/hot_pages.hpp"
#include "pageserver/ingest/ingest.hpp"
#include "pageserver/ingest/replication_client.hpp"
#include "pageserver/ingest/stop_signal.hpp"
#include "pageserver/read/page_reader.hpp"

namespace bough::pageserver {

// Runs from construction to destruction. A safekeeper that fails is left for the next in the list, with growing pauses. WAL that
// breaks the rules is tried from every safekeeper once; then the following ends with that failure.
class WalFollower {
public:
    // `safekeepers`: libpq conninfo strings, at least one.
    WalFollower(std::shared_ptr<Branch> branch, PageReader& reader, HotPages& hot_pages, pg::WalGeometry geometry,
                std::vector<std::string> safekeepers);
    ~WalFollower();
    WalFollower(const WalFollower&) = delete;
    WalFollower& operator=(const WalFollower&) = delete;

    // So that several can end at the same time; the destructor waits.
    void request_stop() { stop_.raise(); }

    const std::vector<std::string>& safekeepers() const { return safekeepers_; }
    const std::shared_ptr<Branch>& branch() const { return branch_; }

    struct Status {
        bool running = true;
        std::optional<Error> failure;  // why it ended, or what it is trying to get over
        Lsn server_end;                // how far the safekeeper has WAL
    };
    Status status() const;

private:
    void run();
    // Until the stop signal or an error.
    Result<void> follow_one(const std::string& conninfo);
    Result<void> stream(ReplicationClient& client, Ingest& ingest);
    bool wait_for_ancestors();
    void note(const std::optional<Error>& failure);

    const std::shared_ptr<Branch> branch_;
    PageReader& reader_;
    HotPages& hot_pages_;
    const pg::WalGeometry geometry_;
    const std::vector<std::string> safekeepers_;
    StopSignal stop_;
    mutable std::mutex mutex_;
    Status status_;  // under mutex_
    bool progressed_ = false;
    std::thread thread_;
};

}  // namespace bough::pageserver
