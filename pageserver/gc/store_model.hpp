// A random life of a project beside a plain model of it: records, branches, reads at any kept place, cutoffs, snapshots, collection,
// deletion, closing and crashes. One seed is one run.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "pageserver/branching/projects.hpp"
#include "pageserver/gc/garbage_collector.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {

struct StoreModelCounts {
    std::uint64_t records = 0;
    std::uint64_t pages_compared = 0;
    std::uint64_t whole_states_compared = 0;
    std::uint64_t moments_compared = 0;
    std::uint64_t refused = 0;  // reads, branches and snapshots where history is gone
    std::uint64_t branches_made = 0;
    std::uint64_t branches_deleted = 0;
    std::uint64_t snapshots_made = 0;
    std::uint64_t cutoffs_raised = 0;
    std::uint64_t collections = 0;
    std::uint64_t images_at_cutoffs = 0;
    std::uint64_t reopenings = 0;
    std::uint64_t crashes = 0;
};

// Failures are GoogleTest's.
class StoreModel {
public:
    explicit StoreModel(std::uint64_t seed);
    ~StoreModel();

    void step();
    // Everything kept of every branch's end and of some older places.
    void compare_all();
    const StoreModelCounts& counts() const { return counts_; }

private:
    struct Life {  // of a branch
        BranchId id;
        std::unique_ptr<Model> model;
        std::unique_ptr<ChangeWriter> writer;
        std::string parent;  // empty: the root
        Lsn cutoff;
        std::map<SnapshotId, LogPosition> snapshots;
    };
    struct Logged {  // a record that a crash may take away
        std::string branch;
        LogPosition position;
        std::vector<Operation> operations;
    };

    std::uint32_t below(std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_); }
    Life& any_life();
    std::shared_ptr<Branch> branch(const Life& life);
    std::vector<Lsn> points(const Life& life) const;
    bool keeps(const Life& life, Lsn lsn) const;
    LogPosition any_kept_position(const Life& life);
    void open();
    void commit_all();
    void forget_durable();

    void add_record();
    void apply(const Logged& record);
    void add_branch();
    void delete_branch();
    void raise_cutoff();
    void add_snapshot();
    void delete_snapshot();
    void collect();
    void compare_pages();
    void compare_state();
    void compare_moment();
    void read_too_early();
    void reopen(bool crash);

    static constexpr std::size_t kBranchesMax = 10;
    std::mt19937_64 random_;
    OperationMaker operations_;
    TemporaryDirectory directory_;
    StoreResources resources_;
    std::unique_ptr<Projects> no_projects_;
    GarbageMetrics garbage_metrics_;
    std::unique_ptr<ScriptRunner> runner_;
    std::unique_ptr<GarbageCollector> garbage_;
    std::map<std::string, Life> lives_;
    std::deque<Logged> log_;
    std::uint64_t names_given_ = 1;
    StoreModelCounts counts_;
};

}  // namespace bough::pageserver
