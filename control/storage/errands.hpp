// What safekeepers that did not answer must still be told: noted in the catalog, said again until they have answered.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "control/catalog/catalog.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

// Runs them on a thread of its own from construction to destruction; an absent safekeeper is tried less and less often, but at least once
// a minute. One that is never to come back costs that much. Thread-safe.
class Errands {
public:
    // What is referred to outlives this.
    Errands(Catalog& catalog, Safekeepers& safekeepers);

    // Durable when it returns.
    Result<void> add(const ErrandRow& errand);
    // These are to follow the branch again: a rest that was meant for them is off, and not under way when this returns.
    Result<void> call_off_rest(const ProjectId& project, const BranchId& branch, const std::vector<std::string>& names);

private:
    void run(const std::stop_token& stop);
    void round(std::chrono::steady_clock::time_point now);
    Result<void> perform(const ErrandRow& errand);

    Catalog& catalog_;
    Safekeepers& safekeepers_;
    std::mutex performing_;  // held while one is carried out
    struct Pause {
        std::chrono::steady_clock::time_point until{};
        std::chrono::seconds length{0};
    };
    std::map<std::string, Pause> pauses_;  // of safekeepers that did not answer; of the thread
    std::mutex mutex_;
    bool added_ = false;  // under mutex_
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace bough::control
