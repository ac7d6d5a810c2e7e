// What only an onlooker of the whole system can know, and the promises that are checked with it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "safekeeper/consensus/state.hpp"
#include "safekeeper/simulation/content.hpp"

namespace bough::safekeeper::simulation {

// Aborts (failure.hpp) when one of these is broken:
// - An acknowledged commit is durable on a quorum of the members, then and for ever; and whoever could win an election has it, whomever it
//   asks. Who the members are is what the safekeepers' disks say.
// - The log that an election chooses holds every commit that was acknowledged in a lower term, before or after.
// - A term is won once, and has one writer.
// - There is one committed history: what anybody takes for committed, and what any reader was given, is a part of it.
// - WAL is gone only where it is committed and the pageserver has it durably: nobody drops or skips more. What is gone from a log in which
//   the history goes on counts as being there.
class Truth {
public:
    // What is durable on a safekeeper, running or not.
    struct Disk {
        std::string name;
        const Content* log;
        const consensus::Durable* control;
    };
    // `initial`: the configuration while no safekeeper knows any.
    Truth(std::vector<Disk> disks, Configuration initial, Lsn start);

    // Keeps a writer for the run.
    Writer& new_writer(Term term, Lsn start);

    // A client was told that its commit, which ends at `end`, is done.
    void acknowledged(const Writer& writer, Lsn end);
    // An election has chosen this log.
    void decided(Term term, Content log);
    // Somebody takes the log below `end` for committed.
    void committed(const Content& log, Lsn end, const char* who);
    // Somebody asked for the end of the branch after all in `before` was acknowledged.
    using Acknowledged = std::map<const Writer*, Lsn>;
    void tip(const Content& log, const Acknowledged& before) const;
    // After a log got shorter.
    void check_redundancy() const;
    // A safekeeper has another configuration on its disk.
    void configured();
    // The pageserver has all below `end` for good.
    void kept_by_pageserver(Lsn end);
    // A log begins here from now on.
    void dropped(const Content& log, const std::string& who);
    void begun_anew(const Content& log, const std::string& who);

    const Acknowledged& acknowledged() const { return acknowledged_; }
    const Content& committed_log() const { return committed_; }
    std::size_t commits() const { return commits_; }
    std::size_t terms() const { return decided_.size(); }
    std::size_t logs_begun_anew() const { return logs_begun_anew_; }

private:
    bool has(const Content& log, const Writer& writer, Lsn end) const;
    void check_durable(const Writer& writer, Lsn end) const;
    const Configuration& configuration_of(const consensus::Durable& control) const;
    void check_beginning(const Content& log, const std::string& who) const;

    std::vector<Disk> disks_;
    Configuration initial_;
    Configuration in_force_;
    std::pair<Term, std::uint64_t> in_force_since_;
    std::vector<std::unique_ptr<Writer>> writers_;
    Acknowledged acknowledged_;  // the highest of each writer
    std::map<Term, Content> decided_;
    Content committed_;
    Lsn kept_by_pageserver_;
    std::size_t commits_ = 0;
    std::size_t logs_begun_anew_ = 0;
};

}  // namespace bough::safekeeper::simulation
