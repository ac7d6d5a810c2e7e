#include "pageserver/history/kept_points.hpp"

#include <algorithm>

namespace bough::pageserver {

KeptPoints::KeptPoints(Lsn cutoff, std::vector<Lsn> points) : cutoff_(cutoff), points_(std::move(points)) {
    std::erase_if(points_, [&](Lsn point) { return point >= cutoff_; });
    std::ranges::sort(points_);
    points_.erase(std::ranges::unique(points_).begin(), points_.end());
}

Lsn KeptPoints::next_kept(Lsn lsn) const {
    if (lsn >= cutoff_) return lsn;
    const auto point = std::ranges::lower_bound(points_, lsn);
    return point != points_.end() ? *point : cutoff_;
}

}  // namespace bough::pageserver
