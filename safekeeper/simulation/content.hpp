// What a log holds, without its bytes: who wrote which stretch. Two logs are byte for byte the same where their stretches are.
#pragma once

#include <string>
#include <vector>

#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::safekeeper::simulation {

// The WAL that one compute writes. Compared by address.
struct Writer {
    Term term;
    Lsn start;
    std::vector<Lsn> record_ends;  // ascending, all above start
    Lsn end() const { return record_ends.empty() ? start : record_ends.back(); }
};

class Content {
public:
    struct Stretch {
        const Writer* writer;
        Lsn begin;
        Lsn end;
        bool operator==(const Stretch&) const = default;
    };

    explicit Content(Lsn start) : start_(start), end_(start) {}
    // What a log holds that begins anew where the other one begins.
    static Content begun_anew(const Content& other) { return other.up_to(other.start()); }

    // Nothing below it is held (any more).
    Lsn start() const { return start_; }
    Lsn end() const { return end_; }
    const std::vector<Stretch>& stretches() const { return stretches_; }

    // Takes the writer's WAL of [from, to), from a position that the log has reached. What it holds already must be the same: aborts
    // when another writer's bytes are there, or when the writer's WAL does not connect to what stands before it, as WAL would not.
    void append(const Writer& writer, Lsn from, Lsn to);
    // The stretches of the other log in [from, to).
    void append(const Content& other, Lsn from, Lsn to);
    void cut(Lsn at);
    // REQUIRES a record end within.
    void drop_below(Lsn at);
    Content up_to(Lsn at) const;

    // The last record end at or below `at`.
    Lsn record_end_below(Lsn at) const;
    // Whether all that the writer wrote up to `end` is in it, but for what was dropped from its beginning.
    bool contains(const Writer& writer, Lsn end) const;
    // Of what both hold.
    bool same_up_to(const Content& other, Lsn end) const;

    // "1:[0/100,0/200) 3:[0/200,0/280)", by term
    std::string to_string() const;

private:
    Lsn start_;
    Lsn end_;
    // WAL below start_ is gone: the first stretch stays, however short, since it says whose WAL continues here.
    bool dropped_ = false;
    std::vector<Stretch> stretches_;
};

}  // namespace bough::safekeeper::simulation
