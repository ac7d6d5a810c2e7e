// Starts, stops and watches the computes of all branches.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "compute/launcher/compute_settings.hpp"
#include "control/catalog/catalog.hpp"
#include "control/computes/branch_move.hpp"
#include "control/computes/election.hpp"
#include "control/storage/errands.hpp"
#include "control/storage/ingest_catchup.hpp"
#include "control/storage/pageserver_client.hpp"
#include "control/storage/safekeepers.hpp"
#include "control/storage/wal_retention.hpp"

namespace bough::control {

struct ComputeOptions {
    std::filesystem::path bindir;     // of Postgres
    std::string extension;            // absolute path of bough.so
    std::string pageserver;           // address of the page service
    std::filesystem::path directory;  // <directory>/<project>/<branch> are the computes' data directories
    std::filesystem::path log_directory;
    std::filesystem::path socket_directory;
    std::chrono::milliseconds start_timeout = std::chrono::seconds(60);
    std::chrono::milliseconds stop_timeout = std::chrono::seconds(30);
};

enum class ComputeState { stopped, starting, running, stopping };
std::string_view to_string(ComputeState state);

struct ComputeView {
    ComputeState state = ComputeState::stopped;
    pid_t pid = 0;
    Term term;
    Lsn start_lsn;
    std::string last_error;  // why it does not run though it is wanted: of the last attempt to start, or why it was stopped
};

// Thread-safe: calls about one branch queue up, those about different branches do not. Computes outlive this object unless
// stop_all() is called: the next control process finds and adopts them.
class Computes {
public:
    Computes(ComputeOptions options, Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers, Errands& errands,
             IngestCatchup& catchup, WalRetention& retention);
    ~Computes();

    // Starts the branch's compute unless it runs, and remembers that it is wanted. When it returns, SQL is served.
    Result<ComputeView> start(const BranchRow& branch);
    // Stops it, lets storage have all its WAL, and forgets its local files. Nothing if it does not run.
    Result<void> stop(const BranchRow& branch);
    ComputeView view(const BranchRow& branch);

    // The operator's and the owner's connection strings.
    std::string superuser_url(const BranchRow& branch) const;
    std::string owner_url(const ProjectRow& project, const BranchRow& branch) const;

    // Finds computes that a former control process left running. Once, before anything else.
    void adopt();
    // One round of watching: restarts what is wanted and died, tells restarted storage daemons what they must know.
    void reconcile();
    // Stops every compute, still wanted at the next start. None is started from here on, and what waits for one to start gives up soon.
    void stop_all();
    // Brings a branch towards these safekeepers (move_branch), with its compute running or without one. Empty when it is there, else
    // what it waits for: call again.
    Result<std::string> bring_to(const BranchRow& branch, const MoveTarget& target);
    // Drops what is kept for a deleted branch, and ends its compute if one still runs.
    void forget(const BranchRow& branch);

private:
    struct Compute;
    std::shared_ptr<Compute> compute_of(const BranchRow& branch);
    compute::Settings settings_of(const BranchRow& branch, const Elected& elected) const;
    std::string source_of(const BranchRow& branch) const;
    std::filesystem::path directory_of(const BranchRow& branch) const;
    std::filesystem::path log_of(const BranchRow& branch) const;
    Result<void> start_locked(Compute& compute, const BranchRow& branch);
    Result<void> launch(Compute& compute, const BranchRow& branch);
    Result<void> stop_locked(Compute& compute, const BranchRow& branch);
    // Nothing happens while its server runs.
    void remove_directory(const BranchRow& branch);
    Result<void> make_owner(const BranchRow& branch);
    void reconcile_branch(const BranchRow& branch, const std::string& pageserver_boot_id);
    // Members of the running term that are not in it come in.
    void let_join(Compute& compute, const BranchRow& branch, const Quorum& quorum);
    // Looks whether the running compute can still commit. If not it is stopped, with the reason: to be started anew, or, when another
    // launcher has begun a term, not wanted any more.
    bool stop_fenced(Compute& compute, const BranchRow& branch, const Quorum& quorum, const Positions& positions);
    // Whether another launcher has begun a term since this one last looked; then the branch is left to it.
    bool yield_to_another(Compute& compute, const BranchRow& branch, const Positions& positions);

    ComputeOptions options_;
    Catalog& catalog_;
    PageserverClient& pageserver_;
    Safekeepers& safekeepers_;
    Errands& errands_;
    IngestCatchup& catchup_;
    WalRetention& retention_;
    std::stop_source closing_;

    std::mutex mutex_;
    std::map<std::pair<ProjectId, BranchId>, std::shared_ptr<Compute>> computes_;  // guarded by mutex_
};

}  // namespace bough::control
