#include "control/computes/computes.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include <spdlog/spdlog.h>

#include "compute/launcher/compute_directory.hpp"
#include "compute/launcher/postmaster.hpp"
#include "control/computes/election.hpp"
#include "control/computes/launch_record.hpp"
#include "control/computes/owner_role.hpp"
#include "control/computes/sql_port.hpp"
#include "election/standby_quorum.hpp"
#include "files/files.hpp"
#include "pg/shared_memory.hpp"

namespace bough::control {
namespace {

constexpr auto kIngestTimeout = std::chrono::seconds(120);
constexpr auto kFollowAgainAfter = std::chrono::seconds(10);
constexpr auto kRestartPauseMax = std::chrono::seconds(30);
constexpr auto kLookAgainAfter = std::chrono::seconds(2);

std::string label(const BranchRow& branch) {
    return "project " + branch.project.str() + " branch " + branch.name + " (" + branch.id.str() + ")";
}

}  // namespace

std::string_view to_string(ComputeState state) {
    switch (state) {
        case ComputeState::stopped: return "stopped";
        case ComputeState::starting: return "starting";
        case ComputeState::running: return "running";
        case ComputeState::stopping: return "stopping";
    }
    return "stopped";
}

// One branch's compute. `work` is held while it starts or stops; `mutex` guards what others look at.
struct Computes::Compute {
    std::mutex work;

    std::mutex mutex;
    ComputeView seen;

    // Guarded by work.
    BeginOrder order;                               // of the running term; of the last election here when there is no compute
    std::set<std::string> joined;                   // who is known to be in it, with its newest configuration
    std::chrono::steady_clock::time_point look_at;  // when it is asked again whether the term is still ours
    Term back_in;                                   // the term in which a change that was called off was undone here last
    Term known;  // the newest term known to have begun, ours or not, when this process last won or tried to
    std::chrono::steady_clock::time_point retry_at;
    std::chrono::seconds retry_pause{1};
    std::string followed_by;  // boot id of the pageserver that was told to follow
    std::chrono::steady_clock::time_point follow_again_at;

    ComputeView view() {
        std::lock_guard lock(mutex);
        return seen;
    }
    void set(ComputeState state) {
        std::lock_guard lock(mutex);
        seen.state = state;
        if (state == ComputeState::stopped) seen.pid = 0;
    }
    void set_running(pid_t pid, Term term, Lsn start_lsn) {
        std::lock_guard lock(mutex);
        seen = {ComputeState::running, pid, term, start_lsn, {}};
    }
    void set_error(const std::string& text) {
        std::lock_guard lock(mutex);
        seen.last_error = text;
    }
};

Computes::Computes(ComputeOptions options, Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers,
                   Errands& errands, IngestCatchup& catchup, WalRetention& retention)
    : options_(std::move(options)),
      catalog_(catalog),
      pageserver_(pageserver),
      safekeepers_(safekeepers),
      errands_(errands),
      catchup_(catchup),
      retention_(retention) {}
Computes::~Computes() = default;

std::shared_ptr<Computes::Compute> Computes::compute_of(const BranchRow& branch) {
    std::lock_guard lock(mutex_);
    auto& compute = computes_[{branch.project, branch.id}];
    if (!compute) compute = std::make_shared<Compute>();
    return compute;
}

std::filesystem::path Computes::directory_of(const BranchRow& branch) const {
    return options_.directory / branch.project.str() / branch.id.str();
}
std::filesystem::path Computes::log_of(const BranchRow& branch) const {
    return options_.log_directory / ("compute-" + branch.id.str() + ".log");
}

compute::Settings Computes::settings_of(const BranchRow& branch, const Elected& elected) const {
    return {branch.project,
            branch.id,
            elected.start.lsn,
            elected.term,
            options_.pageserver,
            options_.extension,
            options_.socket_directory,
            "127.0.0.1",
            branch.port,
            election::standby_quorum(elected.order.configuration, elected.joined)};
}

std::string Computes::source_of(const BranchRow& branch) const {
    return "host='" + options_.socket_directory.string() + "' port=" + std::to_string(branch.port) +
           " user=" + compute::kSuperuser;
}

std::string Computes::superuser_url(const BranchRow& branch) const {
    std::string socket;
    for (char c : options_.socket_directory.string()) socket += c == '/' ? "%2F" : std::string(1, c);
    return "postgresql://" + std::string(compute::kSuperuser) + "@/postgres?host=" + socket +
           "&port=" + std::to_string(branch.port);
}

std::string Computes::owner_url(const ProjectRow& project, const BranchRow& branch) const {
    return "postgresql://" + project.owner + ":" + project.owner_password + "@127.0.0.1:" + std::to_string(branch.port) + "/" +
           project.database;
}

Result<ComputeView> Computes::start(const BranchRow& branch) {
    auto compute = compute_of(branch);
    std::lock_guard work(compute->work);
    if (closing_.stop_requested()) return Error{ErrorCode::unavailable, "the system is shutting down", {}};
    BOUGH_ASSIGN(auto row, catalog_.branch(branch.project, branch.id.str()));
    if (row.state != RowState::ready)
        return Error{ErrorCode::failed_precondition, "branch \"" + row.name + "\" is not ready", {}};
    if (!row.compute_wanted) {
        row.compute_wanted = true;
        BOUGH_TRY(catalog_.put(row));
        retention_.watch(row);
    }
    auto seen = compute->view();
    if (seen.state != ComputeState::running || !compute::alive(seen.pid)) BOUGH_TRY(start_locked(*compute, row));
    return compute->view();
}

Result<void> Computes::start_locked(Compute& compute, const BranchRow& branch) {
    compute.set(ComputeState::starting);
    auto result = launch(compute, branch);
    if (!result) {
        spdlog::error("{}: compute did not start: {}", label(branch), result.error().to_string());
        compute.set(ComputeState::stopped);
        compute.set_error(result.error().message);
    }
    return result;
}

Result<void> Computes::launch(Compute& compute, const BranchRow& branch) {
    auto began = std::chrono::steady_clock::now();
    auto directory = directory_of(branch);
    // A server of a former start that nobody watched any more: its branch is about to be taken from it.
    if (auto left = compute::running_postmaster(directory))
        compute::stop_postmaster(*left, compute::Shutdown::immediate, options_.stop_timeout);
    BOUGH_TRY(check_sql_port(branch.port));
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    BOUGH_TRY(ensure_kept(quorum, catalog_, branch));
    for (const auto& position : quorum.positions(branch.project, branch.id))
        if (position) compute.known = std::max(compute.known, position->configured_in);
    BOUGH_ASSIGN(auto elected, elect(quorum, branch, source_of(branch)));
    catchup_.announce_commit(branch, elected.start.lsn);  // a majority has begun the term there
    BOUGH_TRY(catchup_.ancestors_of(branch, kIngestTimeout));
    BOUGH_TRY(catchup_.follow(branch));
    BOUGH_ASSIGN(auto basebackup, pageserver_.basebackup(branch.project, branch.id, elected.start));

    Lsn segment{elected.start.lsn.value / kWalSegmentBytes * kWalSegmentBytes};
    std::string prefix;
    if (elected.start.lsn > segment) {
        BOUGH_ASSIGN(prefix, elected.donor->wal(branch.project, branch.id, segment, elected.start.lsn));
    }
    if (branch.parent && !compute::altered_settings(directory)) {
        // A new branch begins with its parent's ALTER SYSTEM settings, as it does with its data.
        auto parent = catalog_.branch(branch.project, branch.parent->str());
        auto inherited = parent ? compute::altered_settings(directory_of(*parent)) : Result<std::string>(parent.error());
        if (inherited) {
            BOUGH_TRY(files::make_directories(directory.parent_path()));
            BOUGH_TRY(files::write_atomically(compute::kept_settings(directory), *inherited));
        }
    }
    BOUGH_TRY(compute::make_directory(directory, {basebackup, elected.start.lsn, elected.start.prev_lsn, prefix}));
    auto settings = settings_of(branch, elected);
    BOUGH_TRY(compute::write_settings(directory, settings));
    BOUGH_TRY(write_launch_record(directory, {elected.term, elected.start.lsn, elected.start.prev_lsn, elected.order.history}));
    BOUGH_ASSIGN(pid_t pid, compute::start_postmaster(options_.bindir, directory, settings, log_of(branch)));
    auto ready = compute::wait_until_ready(pid, settings, log_of(branch), options_.start_timeout, closing_.get_token());
    if (ready) ready = make_owner(branch);
    if (!ready) {
        if (compute::alive(pid)) compute::stop_postmaster(pid, compute::Shutdown::immediate, options_.stop_timeout);
        return ready.error();
    }
    compute.order = elected.order;
    compute.joined = elected.joined;
    compute.known = elected.term;
    compute.look_at = std::chrono::steady_clock::now() + kLookAgainAfter;
    compute.set_running(pid, elected.term, elected.start.lsn);
    spdlog::info("{}: compute runs (pid {}, port {}, term {}) from {} after {} ms", label(branch), pid, branch.port,
                 elected.term.value, elected.start.lsn.to_string(),
                 std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
    return {};
}

Result<void> Computes::make_owner(const BranchRow& branch) {
    if (branch.parent) return {};
    BOUGH_ASSIGN(auto project, catalog_.project(branch.project.str()));
    if (project.owner_made) return {};
    BOUGH_TRY(
        control::make_owner(source_of(branch) + " dbname=postgres", {project.owner, project.owner_password, project.database}));
    // That took a while, and others may have changed the project meanwhile.
    BOUGH_TRY(catalog_.change(project.id, [](ProjectRow& row) -> Result<void> {
        row.owner_made = true;
        return {};
    }));
    return {};
}

Result<void> Computes::stop(const BranchRow& branch) {
    auto compute = compute_of(branch);
    std::lock_guard work(compute->work);
    BOUGH_ASSIGN(auto row, catalog_.branch(branch.project, branch.id.str()));
    if (row.compute_wanted) {
        row.compute_wanted = false;
        BOUGH_TRY(catalog_.put(row));
    }
    return stop_locked(*compute, row);
}

Result<void> Computes::stop_locked(Compute& compute, const BranchRow& branch) {
    auto seen = compute.view();
    if (seen.state != ComputeState::running) {
        remove_directory(branch);  // what one that died, or did not start, has left
        return {};
    }
    compute.set(ComputeState::stopping);
    // A fast shutdown lets walsenders hand everything, the shutdown checkpoint too, to the safekeepers before it ends.
    compute::stop_postmaster(seen.pid, compute::Shutdown::fast, options_.stop_timeout);
    compute.set(ComputeState::stopped);
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    fence(quorum, branch);
    if (auto tip = quorum.tip(branch.project, branch.id); tip && tip->committed && !tip->none) {
        auto caught_up = pageserver_.wait(branch.project, branch.id, tip->end.lsn, std::chrono::seconds(5));
        if (!caught_up) spdlog::info("{}: the pageserver has not all WAL yet: {}", label(branch), caught_up.error().message);
    }
    if (auto unfollowed = pageserver_.unfollow(branch.project, branch.id); !unfollowed)
        spdlog::warn("{}: {}", label(branch), unfollowed.error().message);
    remove_directory(branch);
    spdlog::info("{}: compute stopped", label(branch));
    return {};
}

void Computes::remove_directory(const BranchRow& branch) {
    auto directory = directory_of(branch);
    if (compute::running_postmaster(directory)) return;
    if (auto removed = compute::remove_directory(directory); !removed)
        spdlog::warn("{}: what its compute had on disk is left: {}", label(branch), removed.error().message);
}

ComputeView Computes::view(const BranchRow& branch) {
    auto seen = compute_of(branch)->view();
    if (seen.state == ComputeState::running && ::kill(seen.pid, 0) != 0) seen.state = ComputeState::stopped;
    return seen;
}

void Computes::adopt() {
    for (const auto& branch : catalog_.branches()) {
        auto directory = directory_of(branch);
        auto pid = compute::running_postmaster(directory);
        if (!pid && !branch.compute_wanted) remove_directory(branch);  // it was being stopped
        if (!pid) continue;
        auto record = read_launch_record(directory);
        auto project = catalog_.project(branch.project.str());
        const bool finished = record && (branch.parent || (project && project->owner_made));
        if (!branch.compute_wanted || !finished) {
            spdlog::warn("{}: stopping a compute that is not wanted, or whose start was not finished (pid {})", label(branch),
                         *pid);
            compute::stop_postmaster(*pid, compute::Shutdown::fast, options_.stop_timeout);
            remove_directory(branch);
            continue;
        }
        auto compute = compute_of(branch);
        std::lock_guard work(compute->work);
        compute->order.term = record->term;
        compute->order.at = {record->start_lsn, record->prev_lsn};
        compute->order.history = record->history;
        compute->order.source = source_of(branch);
        // Which members have begun the term is not known any more, and the log of one that has not may be another one: none is named,
        // so whoever joins takes it from one in which the term has begun.
        compute->order.donors.clear();
        compute->joined.clear();
        compute->known = record->term;
        compute->set_running(*pid, record->term, record->start_lsn);
        spdlog::info("{}: took over the running compute (pid {}, term {})", label(branch), *pid, record->term.value);
    }
}

void Computes::reconcile() {
    auto boot_id = pageserver_.boot_id();
    for (const auto& branch : catalog_.branches()) {
        if (closing_.stop_requested()) return;
        if (branch.compute_wanted && branch.state == RowState::ready)
            reconcile_branch(branch, boot_id.has_value() ? *boot_id : "");
    }
}

void Computes::reconcile_branch(const BranchRow& branch, const std::string& pageserver_boot_id) {
    auto compute = compute_of(branch);
    std::unique_lock work(compute->work, std::try_to_lock);
    if (!work || closing_.stop_requested()) return;  // it is starting or stopping
    auto row = catalog_.branch(branch.project, branch.id.str());
    if (!row || !row->compute_wanted || row->state != RowState::ready) return;
    auto seen = compute->view();
    if (seen.state == ComputeState::running && !compute::alive(seen.pid)) {
        spdlog::error("{}: the compute (pid {}) has died, see {}", label(branch), seen.pid, log_of(branch).string());
        compute->set(ComputeState::stopped);
        seen.state = ComputeState::stopped;
    }
    if (seen.state == ComputeState::stopped) {
        auto now = std::chrono::steady_clock::now();
        if (now < compute->retry_at) return;
        if (auto quorum = safekeepers_.of(row->project);
            quorum && yield_to_another(*compute, *row, quorum->positions(row->project, row->id)))
            return;
        if (start_locked(*compute, *row)) {
            compute->retry_pause = std::chrono::seconds(1);
        } else {
            compute->retry_at = now + compute->retry_pause;
            compute->retry_pause = std::min<std::chrono::seconds>(compute->retry_pause * 2, kRestartPauseMax);
        }
        return;
    }
    if (seen.state != ComputeState::running) return;
    auto now = std::chrono::steady_clock::now();
    bool restarted = !pageserver_boot_id.empty() && pageserver_boot_id != compute->followed_by;
    if (restarted || now >= compute->follow_again_at) {
        // A restarted pageserver may have forgotten history that was in memory, of this branch and of what it inherits. And ingest
        // that has ended for a reason of its own is given another try.
        auto told = catchup_.follow(*row);
        if (told && restarted) told = catchup_.ancestors_of(*row, std::chrono::seconds(60));
        if (told && restarted) compute->followed_by = pageserver_boot_id;
        if (!told) spdlog::warn("{}: {}", label(branch), told.error().message);
        compute->follow_again_at = now + kFollowAgainAfter;
        if (auto quorum = safekeepers_.of(row->project); quorum && quorum->source_lost(row->project, row->id)) {
            // All that was acknowledged is on a majority; what waits for it never will be.
            spdlog::error(
                "{}: the compute has removed WAL that a majority of the safekeepers had not received; it starts anew from the "
                "last "
                "acknowledged commit",
                label(branch));
            compute::stop_postmaster(seen.pid, compute::Shutdown::immediate, options_.stop_timeout);
            compute->set(ComputeState::stopped);
            compute->set_error("it had removed WAL that a majority of the safekeepers had not received");
            return;
        }
    }
    auto quorum = safekeepers_.of(branch.project);
    if (!quorum) return;
    if (now >= compute->look_at) {
        compute->look_at = now + kLookAgainAfter;
        if (stop_fenced(*compute, *row, *quorum, quorum->positions(row->project, row->id))) return;
    }
    let_join(*compute, *row, *quorum);
}

void Computes::let_join(Compute& compute, const BranchRow& branch, const Quorum& quorum) {
    auto project = catalog_.project(branch.project.str());
    if (!project) return;
    // After a restart of this process only the safekeepers know who counts.
    if (compute.order.configuration.generation == 0) {
        auto in_force = quorum.surely_in_force(quorum.positions(branch.project, branch.id));
        if (!in_force) return;
        compute.order.configuration = std::move(*in_force);
    }
    for (const auto& name : everybody(compute.order.configuration)) {
        if (compute.joined.contains(name) || quorum.find(name) == nullptr) continue;
        auto joined = join(quorum, name, branch, branch_start(branch, project->system_id), compute.order);
        if (joined) {
            compute.joined.insert(name);
            spdlog::info("{}: safekeeper {} has joined term {}", label(branch), name, compute.order.term.value);
        } else {
            spdlog::debug("{}: safekeeper {}: {}", label(branch), name, joined.error().message);
        }
    }
}

// A safekeeper that has promised a later term acknowledges nothing of this compute any more. When so many have that commits cannot be
// acknowledged, the branch was taken from it: by somebody who has begun a term there, or by an election that came to nothing.
bool Computes::stop_fenced(Compute& compute, const BranchRow& branch, const Quorum& quorum, const Positions& positions) {
    auto seen = compute.view();
    std::set<std::string> possible;  // who follows this compute, or may come to
    Term promised;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        if (!positions[i] || positions[i]->term <= seen.term)
            possible.insert(quorum.names()[i]);
        else
            promised = std::max(promised, positions[i]->term);
    }
    if (is_quorum(quorum.in_force(positions), possible)) return false;
    compute.set(ComputeState::stopping);
    // What it has not committed by now is lost to it, so there is nothing to wait for.
    compute::stop_postmaster(seen.pid, compute::Shutdown::immediate, options_.stop_timeout);
    compute.set(ComputeState::stopped);
    if (yield_to_another(compute, branch, positions)) return true;
    auto why = "an election for term " + std::to_string(promised.value) + " came to nothing; the compute of term " +
               std::to_string(seen.term.value) + " could commit nothing more and is started anew";
    spdlog::error("{}: {}", label(branch), why);
    compute.set_error(why);
    return true;
}

bool Computes::yield_to_another(Compute& compute, const BranchRow& branch, const Positions& positions) {
    const SafekeeperPosition* newest = nullptr;
    for (const auto& position : positions)
        if (position && (newest == nullptr || position->configured_in > newest->configured_in)) newest = &*position;
    if (newest == nullptr || compute.known == Term{} || newest->configured_in <= compute.known ||
        newest->source == source_of(branch))
        return false;
    auto why = "another launcher has taken the branch over: term " + std::to_string(newest->configured_in.value) + " began at " +
               newest->history.last().begin.to_string() + " with the compute at " + newest->source +
               "; the one here was stopped, since it could commit nothing more";
    spdlog::error("{}: {}", label(branch), why);
    compute.set_error(why);
    auto row = branch;
    row.compute_wanted = false;  // else the two would take it from each other for ever
    if (auto put = catalog_.put(row); !put) spdlog::warn("{}: {}", label(branch), put.error().message);
    remove_directory(branch);
    return true;
}

Result<std::string> Computes::bring_to(const BranchRow& branch, const MoveTarget& target) {
    auto compute = compute_of(branch);
    std::unique_lock work(compute->work, std::try_to_lock);
    if (!work || closing_.stop_requested()) return std::string("its compute to start or stop");
    auto row = catalog_.branch(branch.project, branch.id.str());
    if (!row || row->state != RowState::ready) return std::string();  // no WAL of it yet, or soon no more
    BOUGH_ASSIGN(auto project, catalog_.project(branch.project.str()));
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    BOUGH_TRY(errands_.call_off_rest(branch.project, branch.id, target.members));
    auto positions = quorum.positions(branch.project, branch.id);
    std::set<std::string> without;
    Term newest;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        if (!positions[i] && positions[i].error().code == ErrorCode::not_found) without.insert(quorum.names()[i]);
        if (positions[i]) newest = std::max(newest, positions[i]->configured_in);
    }
    auto configuration = quorum.in_force(positions);
    if (is_quorum(configuration, without)) return std::string();  // nobody keeps any: it never had a compute
    auto seen = compute->view();
    bool running = seen.state == ComputeState::running && compute::alive(seen.pid);
    if (row->compute_wanted && !running) return std::string("its compute to run");
    std::optional<RunningCompute> writer;
    if (running) {
        // An exchange waits for commits that such a one never gets, and would keep reconcile_branch() from seeing it.
        if (stop_fenced(*compute, *row, quorum, positions)) return std::string("its compute to be started anew");
        writer = RunningCompute{directory_of(*row), source_of(*row) + " dbname=postgres"};
    } else {
        auto sorted = [](std::vector<std::string> names) {
            std::sort(names.begin(), names.end());
            return names;
        };
        // Called off: one that does not answer may hold the configuration of the change, which the next launcher would have to win.
        bool all_answer = true;
        for (std::size_t i = 0; i < positions.size(); ++i)
            if (is_member(configuration, quorum.names()[i]) && !(positions[i] && positions[i]->configuration == configuration))
                all_answer = false;
        if (!configuration.joint() && sorted(configuration.members) == sorted(target.members) &&
            (all_answer || !target.called_off || compute->back_in == newest)) {
            if (target.settled)
                for (const auto& name : let_rest(quorum, *row, positions, configuration))
                    BOUGH_TRY(errands_.add({name, row->project, row->id, ErrandRow::Kind::rest}));
            return std::string();
        }
        // Orders are taken in a term that has begun only. Nobody writes in this one.
        bool ours = newest != Term{} && compute->order.term == newest;
        for (std::size_t i = 0; i < positions.size(); ++i)
            if (positions[i] && is_member(configuration, quorum.names()[i]) && positions[i]->term > newest) ours = false;
        if (!ours) {
            BOUGH_ASSIGN(auto elected, elect(quorum, *row, source_of(*row)));
            compute->order = elected.order;
            compute->known = elected.term;
        }
    }
    // Once in a term is enough, however often it is asked for.
    if (!target.called_off) compute->back_in = {};
    MoveTarget there = target;
    there.called_off = target.called_off && compute->back_in != compute->order.term;
    auto moved = move_branch(quorum, *row, branch_start(*row, project.system_id), there, compute->order, writer);
    compute->joined.clear();  // those that missed the newest configuration are told
    if (!moved) return moved.error();
    if (!moved->there) return moved->waiting_for;
    if (target.called_off) compute->back_in = compute->order.term;
    for (const auto& name : moved->unrested) BOUGH_TRY(errands_.add({name, row->project, row->id, ErrandRow::Kind::rest}));
    if (running) {
        // Readers of safekeepers that left would get nothing more.
        if (auto followed = catchup_.follow(*row); !followed) spdlog::warn("{}: {}", label(*row), followed.error().message);
    } else {
        fence(quorum, *row);
    }
    return std::string();
}

void Computes::stop_all() {
    closing_.request_stop();
    catchup_.close();
    std::vector<std::jthread> stopping;
    for (const auto& branch : catalog_.branches()) {
        if (!branch.compute_wanted) continue;
        stopping.emplace_back([this, branch] {
            auto compute = compute_of(branch);
            std::lock_guard work(compute->work);
            if (auto stopped = stop_locked(*compute, branch); !stopped)
                spdlog::warn("{}: {}", label(branch), stopped.error().message);
        });
    }
}

void Computes::forget(const BranchRow& branch) {
    {
        std::lock_guard lock(mutex_);
        computes_.erase({branch.project, branch.id});
    }
    // Of a deletion that was interrupted before it stopped the compute.
    if (const auto pid = compute::running_postmaster(directory_of(branch)))
        compute::stop_postmaster(*pid, compute::Shutdown::immediate, options_.stop_timeout);
    pg::remove_shared_memory(directory_of(branch));
    if (auto removed = files::remove_tree(directory_of(branch)); !removed)
        spdlog::warn("{}: {}", label(branch), removed.error().message);
    ::unlink(log_of(branch).c_str());
    ::unlink(compute::kept_settings(directory_of(branch)).c_str());
}

}  // namespace bough::control
