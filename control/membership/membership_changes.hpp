// Exchanges the safekeepers of projects, one project's branches after another, in a thread of its own. What is under way is in the
// catalog and on the safekeepers, so a change that a crash interrupted goes on at the next start.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <boost/json/object.hpp>

#include "control/catalog/catalog.hpp"
#include "control/computes/computes.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

struct MembershipChange {
    std::optional<SafekeeperAddress> add;  // only a name when the system knows it
    std::string remove;                    // empty: nobody
};

// Thread-safe.
class MembershipChanges {
public:
    MembershipChanges(Catalog& catalog, Safekeepers& safekeepers, Computes& computes);
    ~MembershipChanges();
    MembershipChanges(const MembershipChanges&) = delete;
    MembershipChanges& operator=(const MembershipChanges&) = delete;

    // Goes on with what a former process left, and from now on with what begin() is asked for.
    void start();
    void stop();

    // Returns when it is noted down; it is done when the project's `next` is empty. failed_precondition while another is under way.
    Result<void> begin(const ProjectId& project, const MembershipChange& change);
    // Brings all branches back to the members as they were. failed_precondition when there is nothing to call off any more.
    Result<void> call_off(const ProjectId& project);

    // What holds the change of this project up: by branch name.
    std::map<std::string, std::string> waiting_for(const ProjectId& project) const;

private:
    void run();
    // True when the project's change is finished.
    bool advance(const ProjectRow& project);
    Result<void> finish(const ProjectRow& project);
    Result<void> check_distinct(const SafekeeperAddress& address) const;
    Result<void> mark_leaving(const std::string& name, bool leaving);

    Catalog& catalog_;
    Safekeepers& safekeepers_;
    Computes& computes_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;                                                // these three: guarded by mutex_
    bool asked_ = true;
    std::map<ProjectId, std::map<std::string, std::string>> waiting_for_;
    std::thread thread_;
};

}  // namespace bough::control
