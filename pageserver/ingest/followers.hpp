// Which branches are being followed.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/ingest/wal_follower.hpp"

namespace bough::pageserver {

// Thread-safe. Does not survive a restart of the process: whoever wants a branch followed says so again.
class Followers {
public:
    Followers(PageReader& reader, HotPages& hot_pages) : reader_(reader), hot_pages_(hot_pages) {}
    ~Followers();
    Followers(const Followers&) = delete;
    Followers& operator=(const Followers&) = delete;

    // Nothing happens when the branch is already being followed from the same safekeepers.
    Result<void> follow(const std::shared_ptr<Branch>& branch, SystemId system_id, std::vector<std::string> safekeepers);
    // Returns when nothing is ingested any more. Also for branches that are not followed.
    void unfollow(const Branch& branch);

    std::optional<WalFollower::Status> status(const Branch& branch) const;
    struct Entry {
        std::shared_ptr<const Branch> branch;
        WalFollower::Status status;
    };
    std::vector<Entry> all() const;

private:
    PageReader& reader_;
    HotPages& hot_pages_;
    std::mutex changing_;  // one follow() or unfollow() at a time
    mutable std::mutex mutex_;
    std::map<const Branch*, std::unique_ptr<WalFollower>> followers_;  // under mutex_; a follower keeps its branch alive
};

}  // namespace bough::pageserver
