#include "safekeeper/simulation/defect.hpp"

namespace bough::safekeeper::simulation {

const std::vector<DefectName>& defects() {
    static const std::vector<DefectName> all = {
        {Defect::answer_vote_before_persisting, "answer_vote_before_persisting", "durable only on", 1},
        {Defect::skip_truncation, "skip_truncation", "does not connect to", 1},
        {Defect::count_vote_twice, "count_vote_twice", "without the acknowledged", 1},
        {Defect::acknowledge_before_fsync, "acknowledge_before_fsync", "durable only on", 1},
        {Defect::ignore_failed_fsync, "ignore_failed_fsync", "durable only on", 1},
        {Defect::choose_by_end_alone, "choose_by_end_alone", "without the acknowledged", 100},
        {Defect::choose_by_promised_term, "choose_by_promised_term", "without the acknowledged", 1},
        {Defect::keep_stream_through_vote, "keep_stream_through_vote", "began without it", 1},
        {Defect::count_catch_up_in_its_old_term, "count_catch_up_in_its_old_term", "not all have all", 5500},
        {Defect::serve_above_commit, "serve_above_commit", "for committed", 1},
        {Defect::trust_commit_of_any_term, "trust_commit_of_any_term", "for committed", 1},
        {Defect::begin_on_a_minority, "begin_on_a_minority", "for committed", 2925},
        {Defect::commit_half_a_record, "commit_half_a_record", "finds its log to end", 1},
        {Defect::count_a_standby_twice, "count_a_standby_twice", "durable only on", 1},
        {Defect::take_from_donor_not_begun, "take_from_donor_not_begun", "does not connect to", 6100},
        {Defect::follow_any_compute, "follow_any_compute", "does not connect to", 1},
        {Defect::keep_scan_position_over_cut, "keep_scan_position_over_cut", "finds its log to end", 800},
        {Defect::swallow_failed_persist, "swallow_failed_persist", "durable only on", 1},
        {Defect::ask_one_for_the_tip, "ask_one_for_the_tip", "a branch at the tip", 1},
        {Defect::renumber_promise_on_restart, "renumber_promise_on_restart", "began without it", 1},
        {Defect::order_the_new_members_at_once, "order_the_new_members_at_once", "durable only on", 1},
        {Defect::count_a_configuration_on_a_minority, "count_a_configuration_on_a_minority", "durable only on", 300},
        {Defect::leave_the_compute_with_the_old_members, "leave_the_compute_with_the_old_members", "durable only on", 1},
        {Defect::mix_settings_of_senders, "mix_settings_of_senders", "durable only on", 100},
        {Defect::elect_by_the_catalog, "elect_by_the_catalog", "are a quorum of", 1},
        {Defect::forget_configuration_on_restart, "forget_configuration_on_restart", "are a quorum of", 1},
        {Defect::drop_what_the_pageserver_lacks, "drop_what_the_pageserver_lacks", "the pageserver has only", 1},
        {Defect::begin_anew_at_the_donors_end, "begin_anew_at_the_donors_end", "the pageserver has only", 1},
        {Defect::forget_promise_when_beginning_anew, "forget_promise_when_beginning_anew", "a branch at the tip", 50},
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
