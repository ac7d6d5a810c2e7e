// The safekeepers that this system knows of, and those of each project.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/catalog/catalog.hpp"
#include "control/storage/quorum.hpp"

namespace bough::control {

// Thread-safe.
class Safekeepers {
public:
    explicit Safekeepers(Catalog& catalog) : catalog_(catalog) {}

    // What the process was started with: adds those that are new, takes over addresses that have changed. Projects of a time when all
    // used those of the system get them as their members. Before anything else. invalid_argument: two that share a name or an address.
    Result<void> introduce(const std::vector<SafekeeperAddress>& addresses);
    // One more. invalid_argument: a name that is not one.
    Result<void> introduce(const SafekeeperAddress& address);

    // The client of that name, or nothing. It speaks only to the data that the safekeeper had when it was first asked: to an empty one
    // in its place every call fails (failed_precondition), and so it does to one whose data is known under another name.
    std::shared_ptr<SafekeeperClient> find(const std::string& name);

    // Whom to ask about branches of the project: its members, and while they change also those to come.
    Result<Quorum> of(const ProjectId& project);

    // The members of a project that is made now: all that are not leaving, up to five.
    std::vector<std::string> for_new_project() const;

private:
    void learn_identity(SafekeeperRow& row, const net::Address& admin);

    Catalog& catalog_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<SafekeeperClient>> clients_;  // guarded by mutex_
};

}  // namespace bough::control
