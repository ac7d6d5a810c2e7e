#include "pageserver/ingest/wal_follower.hpp"

#include <algorithm>
#include <chrono>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPauseMin = 50ms;
constexpr auto kPauseMax = 3000ms;
constexpr auto kStatusInterval = 1s;
constexpr auto kRoomLookInterval = 200ms;

}  // namespace

WalFollower::WalFollower(std::shared_ptr<Branch> branch, PageReader& reader, HotPages& hot_pages, pg::WalGeometry geometry,
                         std::vector<std::string> safekeepers)
    : branch_(std::move(branch)),
      reader_(reader),
      hot_pages_(hot_pages),
      geometry_(geometry),
      safekeepers_(std::move(safekeepers)) {
    BOUGH_CHECK(!safekeepers_.empty());
    thread_ = std::thread([this] { run(); });
}

WalFollower::~WalFollower() {
    request_stop();
    thread_.join();
}

WalFollower::Status WalFollower::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

void WalFollower::note(const std::optional<Error>& failure) {
    const std::lock_guard lock(mutex_);
    status_.failure = failure;
}

void WalFollower::run() {
    name_thread("ingest");
    std::size_t next = 0;
    std::size_t corrupt_in_a_row = 0;
    auto pause = kPauseMin;
    while (!stop_.raised()) {
        if (!wait_for_ancestors()) break;
        progressed_ = false;
        const Result<void> ended = follow_one(safekeepers_[next]);
        if (stop_.raised() || branch_->deleted()) break;
        const Error error = ended ? Error{ErrorCode::unavailable, "the WAL service ended the stream", {}} : ended.error();
        note(error);
        if (progressed_) {
            pause = kPauseMin;
            corrupt_in_a_row = 0;
        }
        // What is wrong with the store or with our reading of WAL is so with every safekeeper.
        const bool at_source = error.code == ErrorCode::unavailable || error.code == ErrorCode::corrupt;
        if (error.code == ErrorCode::corrupt) ++corrupt_in_a_row;
        if (!at_source || corrupt_in_a_row >= safekeepers_.size()) {
            spdlog::error("branch {}: ingest ends at {}: {}", branch_->name(), branch_->ingest_lsn().to_string(),
                          error.to_string());
            break;
        }
        spdlog::warn("branch {}: lost WAL service {} of {} at {}: {}", branch_->name(), next + 1, safekeepers_.size(),
                     branch_->ingest_lsn().to_string(), error.to_string());
        next = (next + 1) % safekeepers_.size();
        if (!stop_.sleep(pause)) break;
        pause = std::min(pause * 2, kPauseMax);
    }
    const std::lock_guard lock(mutex_);
    status_.running = false;
}

// A child begins where its parent's history is complete; after a crash the parent may have to catch up first.
bool WalFollower::wait_for_ancestors() {
    bool told = false;
    while (!branch_->readable_at(branch_->ingest_lsn())) {
        if (!told) spdlog::info("branch {}: waits until its parent has been ingested up to its beginning", branch_->name());
        told = true;
        if (!stop_.sleep(100ms)) return false;
    }
    return !stop_.raised();
}

Result<void> WalFollower::follow_one(const std::string& conninfo) {
    BOUGH_ASSIGN(const auto ingest, Ingest::begin(*branch_, reader_, geometry_));
    BOUGH_ASSIGN(const auto client, ReplicationClient::connect(conninfo, stop_));
    BOUGH_TRY(client->start_replication(ingest->next_lsn()));
    spdlog::info("branch {}: follows the WAL from {}", branch_->name(), ingest->next_lsn().to_string());
    const Result<void> streamed = stream(*client, *ingest);
    // Whole records that came before the trouble count.
    const Result<void> committed = ingest->commit();
    return streamed ? committed : streamed;
}

Result<void> WalFollower::stream(ReplicationClient& client, Ingest& ingest) {
    auto next_status = Clock::now();
    bool status_wanted = true;
    bool dry = false;
    note(std::nullopt);
    while (!stop_.raised() && !branch_->deleted()) {
        if (status_wanted || Clock::now() >= next_status) {
            const Lsn durable = branch_->store().durable_lsn(branch_->number());
            BOUGH_TRY(client.send_status(ingest.next_lsn(), durable, branch_->ingest_lsn()));
            next_status = Clock::now() + kStatusInterval;
            status_wanted = false;
        }
        // What is not read from the socket stays with the WAL service.
        if (!branch_->store().has_room()) {
            BOUGH_TRY(ingest.commit());
            branch_->store().wait_for_room(std::min(next_status, Clock::now() + kRoomLookInterval));
            continue;
        }
        const auto wait = dry ? std::chrono::ceil<std::chrono::milliseconds>(next_status - Clock::now()) : 0ms;
        BOUGH_ASSIGN(const auto message, client.next(std::max(wait, 0ms)));
        if (!message) {
            if (!dry) {
                BOUGH_TRY(ingest.commit());
                hot_pages_.add(branch_, ingest.take_hot_pages());
            }
            dry = true;
            continue;
        }
        {
            const std::lock_guard lock(mutex_);
            status_.server_end = message->server_end;
        }
        status_wanted = status_wanted || message->reply_requested;
        if (message->wal.empty()) continue;
        if (message->begin != ingest.next_lsn())
            return Error{
                ErrorCode::corrupt,
                "the WAL service sent WAL of " + message->begin.to_string() + " instead of " + ingest.next_lsn().to_string(),
                {}};
        dry = false;
        BOUGH_TRY(ingest.feed(message->wal));
        hot_pages_.add(branch_, ingest.take_hot_pages());
        progressed_ = true;
    }
    return {};
}

}  // namespace bough::pageserver
