// Where in one branch's own history somebody may still read.
#pragma once

#include <optional>
#include <vector>

#include "bough/lsn.hpp"

namespace bough::pageserver {

// A value. The branch's own versions are read at any LSN from the cutoff on, and, below it, at certain points only: where children
// left the branch (they and their descendants read it there for ever, whatever their own windows say) and where snapshots pin it.
class KeptPoints {
public:
    // Keeps everything.
    KeptPoints() = default;
    // `points` in any order, doubles and points above the cutoff included.
    KeptPoints(Lsn cutoff, std::vector<Lsn> points);

    Lsn cutoff() const { return cutoff_; }
    const std::vector<Lsn>& points_below_cutoff() const { return points_; }  // ascending

    // Whether a read at `lsn` finds all it needs.
    bool keeps(Lsn lsn) const { return next_kept(lsn) == lsn; }
    // The lowest LSN at or above `lsn` at which somebody may read; `lsn` itself when it is one.
    Lsn next_kept(Lsn lsn) const;
    // The lowest of all.
    Lsn oldest() const { return points_.empty() ? cutoff_ : points_.front(); }

private:
    Lsn cutoff_;
    std::vector<Lsn> points_;
};

}  // namespace bough::pageserver
