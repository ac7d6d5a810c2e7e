#include "control/storage/errands.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace bough::control {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kInterval = 1s;
constexpr std::chrono::seconds kPauseMax = 60s;

// It does not keep the branch, or the data that kept it is gone.
bool has_nothing(const Error& error) { return error.code == ErrorCode::not_found || error.code == ErrorCode::failed_precondition; }

}  // namespace

Errands::Errands(Catalog& catalog, Safekeepers& safekeepers)
    : catalog_(catalog), safekeepers_(safekeepers), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Result<void> Errands::add(const ErrandRow& errand) {
    BOUGH_TRY(catalog_.put(errand));
    std::lock_guard lock(mutex_);
    added_ = true;
    wake_.notify_all();
    return {};
}

Result<void> Errands::call_off_rest(const ProjectId& project, const BranchId& branch, const std::vector<std::string>& names) {
    std::lock_guard lock(performing_);
    for (const auto& name : names) BOUGH_TRY(catalog_.remove(ErrandRow{name, project, branch, ErrandRow::Kind::rest}));
    return {};
}

void Errands::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        round(Clock::now());
        std::unique_lock lock(mutex_);
        // Without any there is nothing to look after.
        if (catalog_.errands().empty()) wake_.wait(lock, stop, [this] { return added_; });
        else wake_.wait_for(lock, stop, kInterval, [] { return false; });
        added_ = false;
    }
}

void Errands::round(Clock::time_point now) {
    for (const auto& errand : catalog_.errands()) {
        auto& pause = pauses_[errand.safekeeper];
        if (now < pause.until) continue;
        std::lock_guard lock(performing_);
        auto all = catalog_.errands();
        if (std::find(all.begin(), all.end(), errand) == all.end()) continue;  // called off meanwhile
        auto done = perform(errand);
        if (done) done = catalog_.remove(errand);
        if (!done) {
            pause.length = std::clamp<std::chrono::seconds>(pause.length * 2, 1s, kPauseMax);
            pause.until = now + pause.length;
            spdlog::debug("safekeeper {}: branch {}: {}", errand.safekeeper, errand.branch.str(), done.error().message);
            continue;
        }
        pause = {};
        spdlog::info("safekeeper {}: {} branch {}, late", errand.safekeeper, errand.kind == ErrandRow::Kind::rest ? "left" : "removed",
                     errand.branch.str());
    }
}

Result<void> Errands::perform(const ErrandRow& errand) {
    auto client = safekeepers_.find(errand.safekeeper);
    if (!client) return {};
    if (errand.kind == ErrandRow::Kind::remove) {
        auto removed = client->delete_branch(errand.project, errand.branch);
        return removed || !has_nothing(removed.error()) ? removed : Result<void>{};
    }
    return rest(*client, errand.project, errand.branch);
}

}  // namespace bough::control
