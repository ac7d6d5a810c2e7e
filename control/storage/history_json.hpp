// A term history as JSON: [{"term","begin_lsn"}…], as safekeepers tell and take it (docs/protocols/admin_http.md).
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "election/term_history.hpp"

namespace bough::control {

boost::json::array history_json(const election::TermHistory& history);

// The field "history"; empty when there is none. invalid_argument when it is no history.
Result<election::TermHistory> history_in(const boost::json::object& fields);

}  // namespace bough::control
