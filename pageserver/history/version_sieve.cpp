#include "pageserver/history/version_sieve.hpp"

#include "bough/check.hpp"

namespace bough::pageserver {

bool VersionSieve::needed(Lsn version, bool is_base, std::size_t bytes) {
    BOUGH_CHECK(!last_ || version < *last_);
    last_ = version;
    const Lsn reader = kept_.next_kept(version);
    const bool needed = !nearest_base_ || reader < *nearest_base_;
    if (is_base) nearest_base_ = version;
    if (version > kept_.cutoff()) return needed;
    // The first one at or below the cutoff would become the image.
    if (!would_be_image_) {
        would_be_image_ = version;
    } else if (needed && reader >= *would_be_image_) {
        ++reducible_versions_;
        reducible_bytes_ += bytes;
        reducible_base_ = reducible_base_ || is_base;
    }
    return needed;
}

}  // namespace bough::pageserver
