#include "safekeeper/branch/retention.hpp"

#include <algorithm>

namespace bough::safekeeper {

Lsn drop_limit(const RetentionView& view, const RetentionSettings& settings) {
    auto before_end = [&](std::uint64_t bytes) { return Lsn{view.end.value > bytes ? view.end.value - bytes : 0}; };
    return std::min({view.durable, view.committed, std::max(view.peers_have, before_end(settings.peer_wal_bytes_max)),
                     before_end(settings.wal_keep_bytes)});
}

}  // namespace bough::safekeeper
