// How positions are written in JSON (docs/protocols/admin_http.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "bough/error.hpp"
#include "safekeeper/branch/branch.hpp"

namespace bough::safekeeper::exchange {

boost::json::object position_json(const BranchPosition& position);

// A branch's position as peers tell it to one another.
struct PeerPosition {
    BranchName name;
    Term last_term;
    Lsn end;
    Lsn commit_lsn;
    std::uint64_t generation = 0;  // of its configuration
};

// {"from": address, "positions": [...]}
std::string positions_text(const std::string& from, const std::vector<PeerPosition>& positions);
struct ReceivedPositions {
    std::string from;
    std::vector<PeerPosition> positions;
};
Result<ReceivedPositions> parse_positions(std::string_view text);

PeerPosition told_to_peers(const Branch& branch);

}  // namespace bough::safekeeper::exchange
