#include "control/storage/history_json.hpp"

#include "json/fields.hpp"

namespace bough::control {

boost::json::array history_json(const election::TermHistory& history) {
    boost::json::array list;
    for (const auto& entry : history.entries())
        list.push_back(boost::json::object{{"term", entry.term.value}, {"begin_lsn", entry.begin.to_string()}});
    return list;
}

Result<election::TermHistory> history_in(const boost::json::object& fields) {
    const auto* list = fields.if_contains("history");
    if (list == nullptr || list->is_null()) return election::TermHistory{};
    if (!list->is_array()) return Error{ErrorCode::invalid_argument, "\"history\" is not a list", {}};
    std::vector<election::TermBegin> entries;
    for (const auto& item : list->get_array()) {
        if (!item.is_object()) return Error{ErrorCode::invalid_argument, "an entry of \"history\" is not an object", {}};
        election::TermBegin entry;
        BOUGH_ASSIGN(entry.term.value, json::unsigned_field(item.get_object(), "term"));
        BOUGH_ASSIGN(entry.begin, json::lsn_field(item.get_object(), "begin_lsn"));
        entries.push_back(entry);
    }
    return election::TermHistory::make(std::move(entries));
}

}  // namespace bough::control
