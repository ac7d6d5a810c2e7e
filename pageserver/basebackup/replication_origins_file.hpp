// pg_logical/replorigin_checkpoint: what Postgres keeps of replication origins over a restart.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "pageserver/page_store/rows.hpp"

namespace bough::pageserver {

std::string encode_replication_origins(const std::map<std::uint16_t, OriginProgress>& origins);

}  // namespace bough::pageserver
