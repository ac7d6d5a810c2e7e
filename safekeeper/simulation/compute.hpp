// A running Postgres as far as safekeepers and clients see one: it writes WAL, sends it to whoever connects, and tells a client that
// its commit is done when ANY k of its connections have reported it flushed, whatever else happens in the world. Each of its senders decides
// that by the setting as it has read it, counting all whose own senders take them for standbys.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "election/standby_quorum.hpp"
#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Compute {
public:
    Compute(System& system, Node node, std::string address, Writer& writer, election::StandbyQuorum quorum);

    const std::string& address() const { return address_; }
    Node node() const { return node_; }
    const Writer& writer() const { return writer_; }
    Term term() const { return writer_.term; }
    bool running() const { return running_; }
    void stop();
    // What only its superuser may do.
    // From a moment on new senders go by it, and those that are there some time later, each by itself.
    void reload(election::StandbyQuorum quorum);
    const election::StandbyQuorum& quorum() const { return quorum_; }
    // Ends what a safekeeper has of senders; no other one begins until all who are kept away are let in.
    void keep_away(std::size_t safekeeper);
    void let_in() { kept_away_.clear(); }
    // Those that began before the last reload() was read.
    void end_older_senders();

    void set_quiet() { quiet_ = true; }  // no more transactions of its own

    // One more record, which a client waits for.
    void commit();
    bool all_acknowledged() const { return waiting_.empty(); }

    // Over the network, from a safekeeper that wants its WAL from `from` on.
    void connect(std::size_t safekeeper, std::uint64_t task, Lsn from);
    void flush_reported(std::uint64_t connection, Lsn flush);
    void closed(std::uint64_t connection);

private:
    struct Sender {
        std::size_t safekeeper;
        std::uint64_t task;
        Lsn sent;
        election::StandbyQuorum quorum;  // as it has read it last
        Microseconds begun = 0;
        Lsn flush{};
        Microseconds last_arrival = 0;
        // The other side is not reached any more, which is not known here: nothing that comes after what was lost arrives.
        std::shared_ptr<bool> broken = std::make_shared<bool>(false);
    };
    void work();
    void write_record();
    void send_to(std::uint64_t connection);
    void lose(std::uint64_t connection, const Sender& sender);
    void end_senders(const std::function<bool(const Sender&)>& which);
    void release(const Sender& by);
    void note(const std::string& text) const;

    System& system_;
    const Node node_;
    const std::string address_;
    Writer& writer_;
    bool running_ = true;
    bool quiet_ = false;
    election::StandbyQuorum quorum_;
    Microseconds reloaded_ = 0;
    std::set<std::size_t> kept_away_;
    std::map<std::uint64_t, Sender> senders_;
    std::uint64_t last_connection_ = 0;
    std::deque<Lsn> waiting_;  // commits that clients wait for
    Lsn acknowledged_;
    std::uint64_t kept_bytes_;
};

}  // namespace bough::safekeeper::simulation
