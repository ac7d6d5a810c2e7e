#include "control/computes/computes.hpp"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include <spdlog/spdlog.h>

#include "compute/launcher/compute_directory.hpp"
#include "compute/launcher/postmaster.hpp"
#include "control/computes/election.hpp"
#include "control/computes/launch_record.hpp"
#include "control/computes/owner_role.hpp"
#include "control/computes/sql_port.hpp"
#include "files/files.hpp"

namespace bough::control {
namespace {

constexpr std::uint64_t kSegmentBytes = 16ull << 20;
constexpr auto kIngestTimeout = std::chrono::seconds(120);
constexpr auto kFollowAgainAfter = std::chrono::seconds(10);
constexpr auto kRestartPauseMax = std::chrono::seconds(30);

std::string label(const BranchRow& branch) { return "project " + branch.project.str() + " branch " + branch.name + " (" + branch.id.str() + ")"; }

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
    BeginOrder order;
    std::vector<bool> joined;
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

Computes::Computes(ComputeOptions options, Catalog& catalog, PageserverClient& pageserver, const Quorum& quorum, IngestCatchup& catchup)
    : options_(std::move(options)), catalog_(catalog), pageserver_(pageserver), quorum_(quorum), catchup_(catchup) {}
Computes::~Computes() = default;

std::shared_ptr<Computes::Compute> Computes::compute_of(const BranchRow& branch) {
    std::lock_guard lock(mutex_);
    auto& compute = computes_[{branch.project, branch.id}];
    if (!compute) compute = std::make_shared<Compute>();
    return compute;
}

std::filesystem::path Computes::directory_of(const BranchRow& branch) const { return options_.directory / branch.project.str() / branch.id.str(); }
std::filesystem::path Computes::log_of(const BranchRow& branch) const { return options_.log_directory / ("compute-" + branch.id.str() + ".log"); }

compute::Settings Computes::settings_of(const BranchRow& branch, Lsn start_lsn, Term term) const {
    return {branch.project,  branch.id, start_lsn, term, options_.pageserver, options_.extension, options_.socket_directory, "127.0.0.1", branch.port,
            quorum_.names()};
}

std::string Computes::superuser_url(const BranchRow& branch) const {
    std::string socket;
    for (char c : options_.socket_directory.string()) socket += c == '/' ? "%2F" : std::string(1, c);
    return "postgresql://" + std::string(compute::kSuperuser) + "@/postgres?host=" + socket + "&port=" + std::to_string(branch.port);
}

std::string Computes::owner_url(const ProjectRow& project, const BranchRow& branch) const {
    return "postgresql://" + project.owner + ":" + project.owner_password + "@127.0.0.1:" + std::to_string(branch.port) + "/" + project.database;
}

Result<ComputeView> Computes::start(const BranchRow& branch) {
    auto compute = compute_of(branch);
    std::lock_guard work(compute->work);
    if (closing_) return Error{ErrorCode::unavailable, "the system is shutting down", {}};
    BOUGH_ASSIGN(auto row, catalog_.branch(branch.project, branch.id.str()));
    if (row.state != RowState::ready) return Error{ErrorCode::failed_precondition, "branch \"" + row.name + "\" is not ready", {}};
    if (!row.compute_wanted) {
        row.compute_wanted = true;
        BOUGH_TRY(catalog_.put(row));
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
    if (auto left = compute::running_postmaster(directory)) compute::stop_postmaster(*left, compute::Shutdown::immediate, options_.stop_timeout);
    BOUGH_TRY(check_sql_port(branch.port));
    BOUGH_TRY(ensure_kept(quorum_, catalog_, branch));
    auto source = "host='" + options_.socket_directory.string() + "' port=" + std::to_string(branch.port) + " user=" + compute::kSuperuser;
    BOUGH_ASSIGN(auto elected, elect(quorum_, branch, source));
    catchup_.announce_commit(branch, elected.start.lsn);  // a majority has begun the term there
    BOUGH_TRY(catchup_.ancestors_of(branch, kIngestTimeout));
    BOUGH_TRY(catchup_.follow(branch));
    BOUGH_ASSIGN(auto basebackup, pageserver_.basebackup(branch.project, branch.id, elected.start));

    Lsn segment{elected.start.lsn.value / kSegmentBytes * kSegmentBytes};
    std::string prefix;
    if (elected.start.lsn > segment) {
        const auto& members = quorum_.members();
        for (const auto& member : members) {
            if (member.get() != elected.donor) continue;
            BOUGH_ASSIGN(prefix, member->wal(branch.project, branch.id, segment, elected.start.lsn));
        }
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
    auto settings = settings_of(branch, elected.start.lsn, elected.term);
    BOUGH_TRY(compute::write_settings(directory, settings));
    BOUGH_TRY(write_launch_record(directory, {elected.term, elected.start.lsn, elected.start.prev_lsn, elected.order.history}));
    BOUGH_ASSIGN(pid_t pid, compute::start_postmaster(options_.bindir, directory, settings, log_of(branch)));
    auto ready = compute::wait_until_ready(pid, settings, log_of(branch), options_.start_timeout);
    if (ready && !branch.parent) ready = make_owner(branch, settings);
    if (!ready) {
        if (compute::alive(pid)) compute::stop_postmaster(pid, compute::Shutdown::immediate, options_.stop_timeout);
        return ready.error();
    }
    compute.order = elected.order;
    compute.joined = elected.joined;
    compute.set_running(pid, elected.term, elected.start.lsn);
    spdlog::info("{}: compute runs (pid {}, port {}, term {}) from {} after {} ms", label(branch), pid, branch.port, elected.term.value,
                 elected.start.lsn.to_string(),
                 std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
    return {};
}

Result<void> Computes::make_owner(const BranchRow& branch, const compute::Settings& settings) {
    BOUGH_ASSIGN(auto project, catalog_.project(branch.project.str()));
    if (project.owner_made) return {};
    BOUGH_TRY(control::make_owner(compute::local_conninfo(settings, "postgres"), {project.owner, project.owner_password, project.database}));
    project.owner_made = true;
    return catalog_.put(project);
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
    if (seen.state != ComputeState::running) return {};
    compute.set(ComputeState::stopping);
    // A fast shutdown lets walsenders hand everything, the shutdown checkpoint too, to the safekeepers before it ends.
    compute::stop_postmaster(seen.pid, compute::Shutdown::fast, options_.stop_timeout);
    compute.set(ComputeState::stopped);
    fence(quorum_, branch);
    if (auto tip = quorum_.tip(branch.project, branch.id); tip && tip->committed && !tip->none) {
        auto caught_up = pageserver_.wait(branch.project, branch.id, tip->end.lsn, std::chrono::seconds(5));
        if (!caught_up) spdlog::info("{}: the pageserver has not all WAL yet: {}", label(branch), caught_up.error().message);
    }
    if (auto unfollowed = pageserver_.unfollow(branch.project, branch.id); !unfollowed)
        spdlog::warn("{}: {}", label(branch), unfollowed.error().message);
    spdlog::info("{}: compute stopped", label(branch));
    return {};
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
        if (!pid) continue;
        auto record = read_launch_record(directory);
        if (!branch.compute_wanted || !record) {
            spdlog::warn("{}: stopping a compute that is not wanted (pid {})", label(branch), *pid);
            compute::stop_postmaster(*pid, compute::Shutdown::fast, options_.stop_timeout);
            continue;
        }
        auto compute = compute_of(branch);
        std::lock_guard work(compute->work);
        compute->order.term = record->term;
        compute->order.at = {record->start_lsn, record->prev_lsn};
        compute->order.history = record->history;
        compute->order.source = "host='" + options_.socket_directory.string() + "' port=" + std::to_string(branch.port) + " user=" + compute::kSuperuser;
        // Which members have begun the term is not known any more, and the log of one that has not may be another one: none is named,
        // so whoever joins takes it from one in which the term has begun.
        compute->order.donors.clear();
        compute->joined.assign(quorum_.members().size(), false);
        compute->set_running(*pid, record->term, record->start_lsn);
        spdlog::info("{}: took over the running compute (pid {}, term {})", label(branch), *pid, record->term.value);
    }
}

void Computes::reconcile() {
    auto boot_id = pageserver_.boot_id();
    for (const auto& branch : catalog_.branches()) {
        if (closing_) return;
        if (branch.compute_wanted && branch.state == RowState::ready) reconcile_branch(branch, boot_id.has_value() ? *boot_id : "");
    }
}

void Computes::reconcile_branch(const BranchRow& branch, const std::string& pageserver_boot_id) {
    auto compute = compute_of(branch);
    std::unique_lock work(compute->work, std::try_to_lock);
    if (!work || closing_) return;  // it is starting or stopping
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
    }
    auto project = catalog_.project(branch.project.str());
    for (std::size_t i = 0; project && i < compute->joined.size(); ++i) {
        if (compute->joined[i]) continue;
        auto& member = *quorum_.members()[i];
        auto order = compute->order;
        std::erase_if(order.donors, [&](const SafekeeperAddress* donor) { return donor == &member.address(); });
        auto joined = join(quorum_, member, *row, branch_start(*row, project->system_id), order);
        compute->joined[i] = joined.has_value();
        if (joined) spdlog::info("{}: safekeeper {} has joined term {}", label(branch), member.address().name, order.term.value);
        else spdlog::debug("{}: safekeeper {}: {}", label(branch), member.address().name, joined.error().message);
    }
}

void Computes::stop_all() {
    closing_ = true;
    std::vector<std::jthread> stopping;
    for (const auto& branch : catalog_.branches()) {
        if (!branch.compute_wanted) continue;
        stopping.emplace_back([this, branch] {
            auto compute = compute_of(branch);
            std::lock_guard work(compute->work);
            if (auto stopped = stop_locked(*compute, branch); !stopped) spdlog::warn("{}: {}", label(branch), stopped.error().message);
        });
    }
}

void Computes::forget(const BranchRow& branch) {
    {
        std::lock_guard lock(mutex_);
        computes_.erase({branch.project, branch.id});
    }
    if (auto removed = files::remove_tree(directory_of(branch)); !removed) spdlog::warn("{}: {}", label(branch), removed.error().message);
    ::unlink(log_of(branch).c_str());
    ::unlink(compute::kept_settings(directory_of(branch)).c_str());
}

}  // namespace bough::control
