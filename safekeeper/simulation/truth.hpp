// What only an onlooker of the whole system can know, and the promises that are checked with it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "safekeeper/simulation/content.hpp"

namespace bough::safekeeper::simulation {

// Aborts (failure.hpp) when one of these is broken:
// - An acknowledged commit is durable on a majority, then and for ever.
// - The log that an election chooses holds every commit that was acknowledged in a lower term, before or after.
// - A term is won once, and has one writer.
// - There is one committed history: what anybody takes for committed, and what any reader was given, is a part of it.
class Truth {
public:
    // `disks`: what is durable on each member, running or not.
    Truth(std::vector<const Content*> disks, Lsn start);

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

    const Acknowledged& acknowledged() const { return acknowledged_; }
    const Content& committed_log() const { return committed_; }
    std::size_t commits() const { return commits_; }
    std::size_t terms() const { return decided_.size(); }

private:
    void check_durable(const Writer& writer, Lsn end) const;

    std::vector<const Content*> disks_;
    std::vector<std::unique_ptr<Writer>> writers_;
    Acknowledged acknowledged_;  // the highest of each writer
    std::map<Term, Content> decided_;
    Content committed_;
    std::size_t commits_ = 0;
};

}  // namespace bough::safekeeper::simulation
