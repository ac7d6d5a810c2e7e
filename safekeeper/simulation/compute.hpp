// A running Postgres as far as safekeepers and clients see one: it writes WAL, sends it to whoever connects, and tells a client that
// its commit is done when ANY k of its connections have reported it flushed, whatever else happens in the world.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Compute {
public:
    Compute(System& system, Node node, std::string address, Writer& writer);

    const std::string& address() const { return address_; }
    Node node() const { return node_; }
    const Writer& writer() const { return writer_; }
    Term term() const { return writer_.term; }
    bool running() const { return running_; }
    void stop();
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
        Lsn flush;
        Microseconds last_arrival = 0;
        // The other side is not reached any more, which is not known here: nothing that comes after what was lost arrives.
        std::shared_ptr<bool> broken = std::make_shared<bool>(false);
    };
    void work();
    void write_record();
    void send_to(std::uint64_t connection);
    void lose(std::uint64_t connection, const Sender& sender);
    void release();
    void note(const std::string& text) const;

    System& system_;
    const Node node_;
    const std::string address_;
    Writer& writer_;
    bool running_ = true;
    bool quiet_ = false;
    std::map<std::uint64_t, Sender> senders_;
    std::uint64_t last_connection_ = 0;
    std::deque<Lsn> waiting_;  // commits that clients wait for
    Lsn acknowledged_;
    std::uint64_t kept_bytes_;
};

}  // namespace bough::safekeeper::simulation
