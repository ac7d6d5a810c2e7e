// All branches of this safekeeper, in its data directory:
//
//     <data>/branches/<project>/<branch>/control      docs/formats/safekeeper_files.md
//                                        /0000000100000000000000A1 ...
//     <data>/removed/                                 what is being deleted
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "safekeeper/branch/branch.hpp"
#include "safekeeper/receive/stop_signal.hpp"
#include "safekeeper/serve/wal_source.hpp"

namespace bough::safekeeper {

// Thread-safe.
class BranchSet : public serve::WalCatalog {
public:
    struct Options {
        std::filesystem::path data_directory;
        std::string safekeeper_name;
        std::string own_address;                  // what peers call this safekeeper
        receive::SharedMachine shared_machine;
        RetentionSettings retention;
        std::function<void(Branch&)> tell_peers;  // as in BranchEnvironment
    };
    // Opens every branch there is. One that cannot be opened is refused from then on, with the reason; the others work.
    static Result<std::unique_ptr<BranchSet>> open(Options options);
    ~BranchSet() override;
    BranchSet(const BranchSet&) = delete;
    BranchSet& operator=(const BranchSet&) = delete;

    // Goes on where each branch was; and keeps house from now on.
    void start();
    void stop();

    // True if it was made now, false if it was there just so; already_exists if it is there otherwise.
    Result<bool> create(const BranchName& name, const BranchOrigin& origin);
    // Nothing to do when it is not there.
    Result<void> remove(const BranchName& name);

    Result<std::shared_ptr<Branch>> find_branch(const BranchName& name) const;
    std::vector<BranchName> names() const;                // refused ones too
    std::vector<std::shared_ptr<Branch>> branches() const;

    const RetentionCounters& counters() const { return counters_; }
    const std::filesystem::path& data_directory() const { return data_directory_; }

    // serve::WalCatalog
    Result<std::shared_ptr<serve::WalSource>> find(const ProjectId& project, const BranchId& branch) override;

private:
    explicit BranchSet(Options options);
    std::filesystem::path directory_of(const BranchName& name) const;
    void open_branch(const BranchName& name);
    Result<void> open_all();
    void keep_house();
    void watch_disk();

    const std::filesystem::path data_directory_;
    segment::Preallocator preallocator_;
    RetentionCounters counters_;
    BranchEnvironment environment_;

    std::mutex change_mutex_;  // held while a branch is made or removed
    mutable std::mutex mutex_;
    std::map<BranchName, std::shared_ptr<Branch>> branches_;
    std::map<BranchName, Error> refused_;

    receive::StopSignal stop_;
    bool disk_full_ = false;  // as logged last; the housekeeper's
    std::thread housekeeper_;
};

}  // namespace bough::safekeeper
