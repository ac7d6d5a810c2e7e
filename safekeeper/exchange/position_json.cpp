#include "safekeeper/exchange/position_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "json/configuration.hpp"
#include "json/fields.hpp"

namespace bough::safekeeper::exchange {

boost::json::object position_json(const BranchPosition& position) {
    boost::json::array history;
    for (const auto& entry : position.history.entries())
        history.push_back({{"term", entry.term.value}, {"begin_lsn", entry.begin.to_string()}});
    boost::json::array peers;
    for (const auto& peer : position.peers) peers.push_back({{"name", peer.name}, {"admin", peer.admin}, {"wal", peer.wal}});
    auto configuration = json::configuration_object(position.configuration);
    configuration["term"] = position.configured_in.value;
    return {
        {"term", position.promised.value},
        {"last_term", position.last_term.value},
        {"history", std::move(history)},
        {"start_lsn", position.start_lsn.to_string()},
        {"begin_lsn", position.begin.to_string()},
        {"flush_lsn", position.log.flush.to_string()},
        {"end_lsn", position.log.end.to_string()},
        {"last_record_lsn", position.log.last_record.to_string()},
        {"commit_lsn", position.commit_lsn.to_string()},
        {"durable_lsn", position.durable.to_string()},
        {"state", consensus::to_string(position.state)},
        {"streaming", position.streaming},
        {"configuration", std::move(configuration)},
        {"peers", std::move(peers)},
        {"source", position.source},
        {"source_lost", position.source_lost},
    };
}

std::string positions_text(const std::string& from, const std::vector<PeerPosition>& positions) {
    boost::json::array list;
    for (const auto& position : positions) {
        list.push_back({{"project", position.name.project.str()},
                        {"branch", position.name.branch.str()},
                        {"last_term", position.last_term.value},
                        {"end_lsn", position.end.to_string()},
                        {"commit_lsn", position.commit_lsn.to_string()},
                        {"generation", position.generation}});
    }
    return boost::json::serialize(boost::json::object{{"from", from}, {"positions", std::move(list)}});
}

Result<ReceivedPositions> parse_positions(std::string_view text) {
    BOUGH_ASSIGN(auto body, json::parse_object(text));
    ReceivedPositions received;
    BOUGH_ASSIGN(received.from, json::string_field(body, "from"));
    const auto* list = body.if_contains("positions");
    if (list == nullptr || !list->is_array()) return Error{ErrorCode::invalid_argument, "\"positions\" is not a list", {}};
    for (const auto& item : list->get_array()) {
        if (!item.is_object()) return Error{ErrorCode::invalid_argument, "a position is not an object", {}};
        const auto& fields = item.get_object();
        BOUGH_ASSIGN(auto project_text, json::string_field(fields, "project"));
        BOUGH_ASSIGN(auto project, ProjectId::parse(project_text));
        BOUGH_ASSIGN(auto branch_text, json::string_field(fields, "branch"));
        BOUGH_ASSIGN(auto branch, BranchId::parse(branch_text));
        PeerPosition position{.name = {std::move(project), std::move(branch)}, .last_term = {}, .end = {}, .commit_lsn = {}, .generation = 0};
        BOUGH_ASSIGN(position.last_term.value, json::unsigned_field(fields, "last_term"));
        BOUGH_ASSIGN(position.end, json::lsn_field(fields, "end_lsn"));
        BOUGH_ASSIGN(position.commit_lsn, json::lsn_field(fields, "commit_lsn"));
        BOUGH_ASSIGN(position.generation, json::unsigned_field_or(fields, "generation", 0));
        received.positions.push_back(std::move(position));
    }
    return received;
}

PeerPosition told_to_peers(const Branch& branch) {
    auto position = branch.position();
    return {branch.name(), position.last_term, position.counted_end(), position.commit_lsn, position.configuration.generation};
}

}  // namespace bough::safekeeper::exchange
