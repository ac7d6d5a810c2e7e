#include "safekeeper/branch/retention.hpp"

#include <algorithm>

namespace bough::safekeeper {

Lsn drop_limit(const RetentionView& view, const RetentionSettings& settings) {
    auto bound = view.end.value > settings.peer_wal_bytes_max ? Lsn{view.end.value - settings.peer_wal_bytes_max} : Lsn{};
    return std::min({view.durable, view.committed, std::max(view.peers_have, bound)});
}

}  // namespace bough::safekeeper
