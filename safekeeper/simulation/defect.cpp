#include "safekeeper/simulation/defect.hpp"

namespace bough::safekeeper::simulation {

const std::vector<DefectName>& defects() {
    static const std::vector<DefectName> all = {
        {Defect::answer_vote_before_persisting, "answer_vote_before_persisting"},
        {Defect::skip_truncation, "skip_truncation"},
        {Defect::count_vote_twice, "count_vote_twice"},
        {Defect::acknowledge_before_fsync, "acknowledge_before_fsync"},
        {Defect::ignore_failed_fsync, "ignore_failed_fsync"},
        {Defect::choose_by_end_alone, "choose_by_end_alone"},
        {Defect::choose_by_promised_term, "choose_by_promised_term"},
        {Defect::keep_stream_through_vote, "keep_stream_through_vote"},
        {Defect::count_logs_below_the_begin, "count_logs_below_the_begin"},
        {Defect::serve_above_commit, "serve_above_commit"},
        {Defect::trust_commit_of_any_term, "trust_commit_of_any_term"},
        {Defect::begin_on_a_minority, "begin_on_a_minority"},
        {Defect::commit_half_a_record, "commit_half_a_record"},
        {Defect::count_a_standby_twice, "count_a_standby_twice"},
        {Defect::take_from_donor_not_begun, "take_from_donor_not_begun"},
        {Defect::follow_any_compute, "follow_any_compute"},
        {Defect::keep_scan_position_over_cut, "keep_scan_position_over_cut"},
        {Defect::swallow_failed_persist, "swallow_failed_persist"},
        {Defect::ask_one_for_the_tip, "ask_one_for_the_tip"},
        {Defect::renumber_promise_on_restart, "renumber_promise_on_restart"},
    };
    return all;
}

std::optional<Defect> parse_defect(std::string_view name) {
    for (const auto& one : defects())
        if (one.name == name) return one.defect;
    return std::nullopt;
}

std::string_view to_string(Defect defect) {
    for (const auto& one : defects())
        if (one.defect == defect) return one.name;
    return "none";
}

}  // namespace bough::safekeeper::simulation
