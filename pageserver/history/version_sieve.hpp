// Which versions of one object must stay.
#pragma once

#include <cstddef>
#include <optional>

#include "bough/lsn.hpp"
#include "pageserver/history/kept_points.hpp"

namespace bough::pageserver {

// Is shown the versions of one object on one branch, newest first, and says of each whether a read somewhere still needs it.
//
// A read at K begins at the newest version at or below K and goes down to the first that is a base: one under which nothing
// matters (any version of what is not a page; of a page an image, zeros, or a change to zeros). So a version is needed exactly
// when, at the lowest kept LSN at or above it, no base lies in between.
//
// Versions may be missing from what is shown: then more is kept than needed, never less. So what sees only some of the files
// that hold an object may use it.
class VersionSieve {
public:
    explicit VersionSieve(const KeptPoints& kept) : kept_(kept) {}  // borrowed

    // LSNs must fall from call to call. `bytes`: what the version costs, for reducible_bytes().
    bool needed(Lsn version, bool is_base, std::size_t bytes = 0);

    // Of the versions needed so far, those that would go if the newest at or below the cutoff were an image.
    std::size_t reducible_versions() const { return reducible_versions_; }
    std::size_t reducible_bytes() const { return reducible_bytes_; }
    // Whether a base is among them: then an image there takes a base's place, and the changes on it go for nothing.
    bool reducible_base() const { return reducible_base_; }

private:
    const KeptPoints& kept_;
    std::optional<Lsn> last_;            // shown
    std::optional<Lsn> nearest_base_;    // the lowest base shown
    std::optional<Lsn> would_be_image_;  // the newest shown at or below the cutoff
    std::size_t reducible_versions_ = 0;
    std::size_t reducible_bytes_ = 0;
    bool reducible_base_ = false;
};

}  // namespace bough::pageserver
