// The commands of the replication protocol, as far as a WAL service reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/lsn.hpp"

namespace bough::safekeeper::serve {

struct ReplicationCommand {
    enum class Kind {
        empty,              // nothing but blanks and a semicolon
        identify_system,
        show,               // name
        start_replication,  // start, timeline
        not_offered,        // name: a command of the protocol that a WAL service does not have
    };
    Kind kind = Kind::empty;
    std::string name;
    Lsn start;
    std::uint32_t timeline = 0;  // 0: not given
};

// invalid_argument: a syntax error; unsupported: logical replication.
Result<ReplicationCommand> parse_replication_command(std::string_view text);

}  // namespace bough::safekeeper::serve
