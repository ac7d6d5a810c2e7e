#include "safekeeper/simulation/compute.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "safekeeper/simulation/launcher.hpp"
#include "safekeeper/simulation/reader.hpp"
#include "safekeeper/simulation/safekeeper.hpp"

namespace bough::safekeeper::simulation {
namespace {

constexpr std::uint64_t kPageBytes = 8192;
constexpr std::uint64_t kAlignment = 8;
constexpr Microseconds kSenderTimeout = 800 * kMillisecond;

}  // namespace

Compute::Compute(System& system, Node node, std::string address, Writer& writer, election::StandbyQuorum quorum)
    : system_(system), node_(node), address_(std::move(address)), writer_(writer), quorum_(std::move(quorum)),
      kept_bytes_(system.world.random.between(2000, 40000)) {
    write_record();  // the checkpoint that it starts from
    work();
}

void Compute::note(const std::string& text) const {
    if (system_.world.traced()) system_.world.note("compute of term " + std::to_string(writer_.term.value) + ": " + text);
}

void Compute::stop() {
    if (!running_) return;
    note("stops");
    running_ = false;
    end_senders([](const Sender&) { return true; });
}

void Compute::end_senders(const std::function<bool(const Sender&)>& which) {
    for (auto& [connection, sender] : senders_) {
        if (!which(sender)) continue;
        system_.world.send_in_order(node_, sender.safekeeper, sender.last_arrival,
                                    [this, safekeeper = sender.safekeeper, task = sender.task, broken = sender.broken] {
                                        if (!*broken) system_.safekeepers[safekeeper]->disconnected(task);
                                    },
                                    [this, safekeeper = sender.safekeeper, task = sender.task] {
                                        // Noticed when nothing has been heard for long.
                                        system_.world.after(100 * kMillisecond, [this, safekeeper, task] {
                                            system_.safekeepers[safekeeper]->disconnected(task);
                                        });
                                    });
    }
    std::erase_if(senders_, [&](const auto& one) { return which(one.second); });
}

void Compute::reload(election::StandbyQuorum quorum) {
    auto& world = system_.world;
    quorum_ = std::move(quorum);
    reloaded_ = world.now();
    note("waits for any " + std::to_string(quorum_.count) + " of " + std::to_string(quorum_.standbys.size()));
    for (const auto& [connection, sender] : senders_) {
        world.after(world.random.mostly_low(100, 30 * kMillisecond), [this, connection = connection] {
            if (auto found = senders_.find(connection); found != senders_.end()) found->second.quorum = quorum_;
        });
    }
}

void Compute::keep_away(std::size_t safekeeper) {
    kept_away_.insert(safekeeper);
    end_senders([safekeeper](const Sender& sender) { return sender.safekeeper == safekeeper; });
}

void Compute::end_older_senders() {
    end_senders([this](const Sender& sender) { return sender.begun <= reloaded_; });
}

// Mostly small records, now and then one that ends exactly with a page, and so with a segment where that ends.
void Compute::write_record() {
    auto& random = system_.world.random;
    Lsn begin = writer_.end();
    std::uint64_t bytes = random.chance(100) ? random.between(1000, 12000) : random.between(24, 400);
    std::uint64_t to_page_end = kPageBytes - begin.value % kPageBytes;
    if (to_page_end >= 32 && to_page_end < 3000 && random.chance(500)) bytes = to_page_end;
    Lsn end{(begin.value + bytes + kAlignment - 1) / kAlignment * kAlignment};
    writer_.record_ends.push_back(end);
}

void Compute::work() {
    if (!running_) return;
    auto& random = system_.world.random;
    if (!quiet_) {
        for (auto records = random.between(0, 2); records > 0; --records) write_record();
        commit();
    }
    system_.world.after(random.mostly_low(kMillisecond, 60 * kMillisecond), [this] { work(); });
}

void Compute::commit() {
    write_record();
    waiting_.push_back(writer_.end());
    std::vector<std::uint64_t> connections;
    for (const auto& [connection, sender] : senders_) connections.push_back(connection);
    for (auto connection : connections) send_to(connection);
}

void Compute::connect(std::size_t safekeeper, std::uint64_t task, Lsn from) {
    auto refuse = [&](bool wal_gone) {
        system_.world.send(node_, safekeeper, [this, safekeeper, task, wal_gone] { system_.safekeepers[safekeeper]->refused(task, wal_gone); });
    };
    if (!running_) return refuse(false);
    // A safekeeper takes its name when it connects; a second connection of that name is refused as long as the first one lives.
    if (kept_away_.contains(safekeeper)) return refuse(false);
    bool taken = std::any_of(senders_.begin(), senders_.end(), [&](const auto& one) { return one.second.safekeeper == safekeeper; });
    if (taken && system_.defect != Defect::count_a_standby_twice) return refuse(false);
    // What is committed is dropped when there is too much of it.
    bool dropped = from < acknowledged_ && writer_.end() - from > kept_bytes_;
    if (dropped) return refuse(true);
    if (from > writer_.end()) return refuse(false);
    auto connection = ++last_connection_;
    auto& sender = senders_[connection] = {safekeeper, task, from, quorum_, system_.world.now()};
    system_.world.send_in_order(
        node_, safekeeper, sender.last_arrival,
        [this, safekeeper, task, connection, broken = sender.broken] {
            if (!*broken) system_.safekeepers[safekeeper]->connected(task, *this, connection);
        },
        [this, connection, sender] { lose(connection, sender); });
    send_to(connection);
}

// Whatever there is, in pieces that do not care where records end.
void Compute::send_to(std::uint64_t connection) {
    auto found = senders_.find(connection);
    if (found == senders_.end() || *found->second.broken) return;
    auto& sender = found->second;
    while (sender.sent < writer_.end()) {
        auto length = std::min<std::uint64_t>(writer_.end() - sender.sent, system_.world.random.between(200, 6000));
        Lsn from = sender.sent, to = from + length;
        sender.sent = to;
        system_.world.send_in_order(
            node_, sender.safekeeper, sender.last_arrival,
            [this, safekeeper = sender.safekeeper, task = sender.task, from, to, broken = sender.broken] {
                if (!*broken) system_.safekeepers[safekeeper]->received(task, writer_, from, to);
            },
            [this, connection, sender] { lose(connection, sender); });
    }
}

// Bytes did not arrive: the connection is over, which the other side and this one notice in their own time. What follows them does not
// arrive either, even if this side has closed the connection or stopped since.
void Compute::lose(std::uint64_t connection, const Sender& sender) {
    if (std::exchange(*sender.broken, true)) return;
    auto& random = system_.world.random;
    system_.world.after(random.mostly_low(kMillisecond, 50 * kMillisecond), [this, safekeeper = sender.safekeeper, task = sender.task] {
        system_.safekeepers[safekeeper]->disconnected(task);
    });
    system_.world.after(random.mostly_low(kMillisecond, kSenderTimeout), [this, connection] { closed(connection); });
}

void Compute::closed(std::uint64_t connection) { senders_.erase(connection); }

void Compute::flush_reported(std::uint64_t connection, Lsn flush) {
    auto found = senders_.find(connection);
    if (!running_ || found == senders_.end()) return;
    found->second.flush = std::max(found->second.flush, flush);
    release(found->second);
}

// synchronous_standby_names = 'ANY k (…)': connections are counted, as Postgres does.
void Compute::release(const Sender& by) {
    auto is_standby = [](const Sender& sender) {
        const auto& names = sender.quorum.standbys;
        return std::find(names.begin(), names.end(), name_of_safekeeper(sender.safekeeper)) != names.end();
    };
    if (!is_standby(by)) return;
    std::vector<Lsn> flushes;
    for (const auto& [connection, sender] : senders_)
        if (is_standby(sender)) flushes.push_back(sender.flush);
    if (flushes.size() < by.quorum.count) return;
    std::sort(flushes.rbegin(), flushes.rend());
    Lsn reached = flushes[by.quorum.count - 1];
    while (!waiting_.empty() && waiting_.front() <= reached) {
        note("commit at " + waiting_.front().to_string() + " is acknowledged");
        system_.truth->acknowledged(writer_, waiting_.front());
        acknowledged_ = waiting_.front();
        waiting_.pop_front();
    }
}

}  // namespace bough::safekeeper::simulation
