// Bugs that can be planted, to show that the simulator finds such ones. All of them are committed by what stands around the cores
// (the simulated shells, or what they tell the cores), never by the cores themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bough::safekeeper::simulation {

enum class Defect {
    none,
    answer_vote_before_persisting,          // the promise is on its way to the disk when the vote is answered
    skip_truncation,                        // a divergent tail stays when a term begins
    count_vote_twice,                       // a repeated answer is taken for one of somebody who has not answered
    acknowledge_before_fsync,               // the compute is told of bytes that are written but not synced
    ignore_failed_fsync,                    // the flush failed, the position advances all the same
    choose_by_end_alone,                    // the longest log, whatever its last term
    choose_by_promised_term,                // the log of whoever promised the highest term
    keep_stream_through_vote,               // the vote is answered while the old compute is still followed
    count_catch_up_in_its_old_term,         // bytes of an older term count in it, though they came in a newer one
    serve_above_commit,                     // readers get all there is
    trust_commit_of_any_term,               // a commit position is taken whatever log it was counted in
    begin_on_a_minority,                    // the compute starts although one vote in the majority has not begun
    commit_half_a_record,                   // positions are ends of bytes, not of records
    count_a_standby_twice,                  // two connections of one safekeeper count as two standbys
    take_from_donor_not_begun,              // catches up from a peer that promised the term but has another log
    follow_any_compute,                     // a compute of another term is followed
    keep_scan_position_over_cut,            // after a crash within a begin the log is expected to reach beyond its cut
    swallow_failed_persist,                 // what could not be written is taken for written
    ask_one_for_the_tip,                    // "branch at the tip" asks a single safekeeper
    renumber_promise_on_restart,            // a restart forgets the promise
    order_the_new_members_at_once,          // the new members alone count, without a joint configuration before
    count_a_configuration_on_a_minority,    // one that has a configuration is enough for the next step
    leave_the_compute_with_the_old_members, // its commits never wait for both, nor for what was acknowledged before to be on both
    mix_settings_of_senders,                // safekeepers stream while the compute goes from one setting to the other
    elect_by_the_catalog,                   // a launcher wins with the members that the catalog names, whatever voters tell
    forget_configuration_on_restart,        // a restart forgets who counts
    drop_what_the_pageserver_lacks,         // WAL goes as soon as it is committed
    begin_anew_at_the_donors_end,           // a log that begins anew skips to the donor's end, instead of where that begins
    forget_promise_when_beginning_anew,     // the control file that says that a log begins anew has no promise and no history
};

struct DefectName {
    Defect defect;
    std::string_view name;
    std::string_view breaks;       // what is said of the promise that it is seen to break, in part
    std::uint64_t first_seed = 1;  // where the test begins to look: a rare one is caught by the 200 seeds from there on
};

// Those that can be planted, without `none`.
const std::vector<DefectName>& defects();
std::optional<Defect> parse_defect(std::string_view name);
std::string_view to_string(Defect defect);

}  // namespace bough::safekeeper::simulation
