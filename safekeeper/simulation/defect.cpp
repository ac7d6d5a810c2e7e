#include "safekeeper/simulation/defect.hpp"

namespace bough::safekeeper::simulation {

const std::vector<DefectName>& defects() {
    static const std::vector<DefectName> all = {
        {Defect::answer_vote_before_persisting, "answer_vote_before_persisting", 1},
        {Defect::skip_truncation, "skip_truncation", 1},
        {Defect::count_vote_twice, "count_vote_twice", 1},
        {Defect::acknowledge_before_fsync, "acknowledge_before_fsync", 1},
        {Defect::ignore_failed_fsync, "ignore_failed_fsync", 1},
        {Defect::choose_by_end_alone, "choose_by_end_alone", 100},
        {Defect::choose_by_promised_term, "choose_by_promised_term", 1},
        {Defect::keep_stream_through_vote, "keep_stream_through_vote", 1},
        {Defect::count_catch_up_in_its_old_term, "count_catch_up_in_its_old_term", 5500},
        {Defect::serve_above_commit, "serve_above_commit", 1},
        {Defect::trust_commit_of_any_term, "trust_commit_of_any_term", 1},
        {Defect::begin_on_a_minority, "begin_on_a_minority", 1},
        {Defect::commit_half_a_record, "commit_half_a_record", 1},
        {Defect::count_a_standby_twice, "count_a_standby_twice", 1},
        {Defect::take_from_donor_not_begun, "take_from_donor_not_begun", 6100},
        {Defect::follow_any_compute, "follow_any_compute", 1},
        {Defect::keep_scan_position_over_cut, "keep_scan_position_over_cut", 800},
        {Defect::swallow_failed_persist, "swallow_failed_persist", 1},
        {Defect::ask_one_for_the_tip, "ask_one_for_the_tip", 1},
        {Defect::renumber_promise_on_restart, "renumber_promise_on_restart", 1},
        {Defect::order_the_new_members_at_once, "order_the_new_members_at_once", 1},
        {Defect::count_a_configuration_on_a_minority, "count_a_configuration_on_a_minority", 300},
        {Defect::leave_the_compute_with_the_old_members, "leave_the_compute_with_the_old_members", 1},
        {Defect::mix_settings_of_senders, "mix_settings_of_senders", 100},
        {Defect::elect_by_the_catalog, "elect_by_the_catalog", 1},
        {Defect::forget_configuration_on_restart, "forget_configuration_on_restart", 1},
        {Defect::drop_what_the_pageserver_lacks, "drop_what_the_pageserver_lacks", 1},
        {Defect::begin_anew_at_the_donors_end, "begin_anew_at_the_donors_end", 1},
        {Defect::forget_promise_when_beginning_anew, "forget_promise_when_beginning_anew", 1},
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
