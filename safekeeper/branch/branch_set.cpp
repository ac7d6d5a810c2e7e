#include "safekeeper/branch/branch_set.hpp"

#include <poll.h>

#include <utility>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "pg/wal_segment.hpp"
#include "safekeeper/segment/disk_space.hpp"
#include "safekeeper/segment/durable_file.hpp"

namespace bough::safekeeper {
namespace {

using namespace std::chrono_literals;
constexpr auto kHousekeepingInterval = 250ms;

// True when that cannot be told: what holds WAL is never removed.
bool holds_wal(const std::filesystem::path& directory) {
    constexpr std::uint32_t kSmallestSegment = 1 << 20;  // for which all names of larger ones are names too
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (pg::parse_wal_segment_name(entry.path().filename().string(), kSmallestSegment)) return true;
    return static_cast<bool>(error);
}

}  // namespace

BranchSet::BranchSet(Options options)
    : data_directory_(std::move(options.data_directory)),
      environment_{preallocator_, options.safekeeper_name, "bough_" + options.safekeeper_name, std::move(options.own_address), options.shared_machine,
                   [this](const BranchName& name) {
                       auto parent = find_branch(name);
                       return parent ? *parent : nullptr;
                   },
                   options.retention, counters_, std::move(options.tell_peers)} {}

Result<std::unique_ptr<BranchSet>> BranchSet::open(Options options) {
    std::unique_ptr<BranchSet> set(new BranchSet(std::move(options)));
    BOUGH_TRY(set->open_all());
    return set;
}

BranchSet::~BranchSet() { stop(); }

std::filesystem::path BranchSet::directory_of(const BranchName& name) const {
    return data_directory_ / "branches" / name.project.str() / name.branch.str();
}

Result<void> BranchSet::open_all() {
    std::error_code error;
    std::filesystem::create_directories(data_directory_ / "branches", error);
    if (error) return io_error("could not make \"" + (data_directory_ / "branches").string() + "\"", error.value());
    std::filesystem::remove_all(data_directory_ / "removed", error);
    for (const auto& project_entry : std::filesystem::directory_iterator(data_directory_ / "branches", error)) {
        auto project = ProjectId::parse(project_entry.path().filename().string());
        if (!project || !project_entry.is_directory()) continue;
        std::error_code inner;
        for (const auto& branch_entry : std::filesystem::directory_iterator(project_entry.path(), inner)) {
            auto branch = BranchId::parse(branch_entry.path().filename().string());
            if (branch && branch_entry.is_directory()) open_branch({*project, *branch});
        }
        if (inner) return io_error("could not read \"" + project_entry.path().string() + "\"", inner.value());
    }
    if (error) return io_error("could not read \"" + (data_directory_ / "branches").string() + "\"", error.value());
    return {};
}

void BranchSet::open_branch(const BranchName& name) {
    auto directory = directory_of(name);
    auto opened = Branch::open(directory, name, environment_);
    if (opened) {
        branches_.emplace(name, std::move(*opened));
        return;
    }
    // A crash while it was being made: nobody was told that it exists, and it has no WAL yet.
    if (opened.error().code == ErrorCode::not_found && holds_wal(directory)) {
        opened = Error{ErrorCode::corrupt, "there is WAL, but no control file", "this safekeeper's disk has lost data; replace the safekeeper"};
    } else if (opened.error().code == ErrorCode::not_found) {
        spdlog::warn("{}: removing what is left of an unfinished creation", name.to_string());
        std::error_code error;
        std::filesystem::remove_all(directory, error);
        return;
    }
    auto error = opened.error().within(name.to_string() + " is refused");
    spdlog::error("{}", error.to_string());
    refused_.emplace(name, std::move(error));
}

void BranchSet::start() {
    for (const auto& branch : branches()) branch->start();
    housekeeper_ = std::thread([this] { keep_house(); });
}

void BranchSet::stop() {
    stop_.raise();
    if (housekeeper_.joinable()) housekeeper_.join();
    for (const auto& branch : branches()) branch->stop();
}

void BranchSet::keep_house() {
    name_thread("housekeeper");
    pollfd stop{stop_.descriptor(), POLLIN, 0};
    do {
        auto now = std::chrono::steady_clock::now();
        for (const auto& branch : branches()) branch->housekeep(now);
        watch_disk();
    } while (::poll(&stop, 1, static_cast<int>(std::chrono::milliseconds(kHousekeepingInterval).count())) == 0);
}

void BranchSet::watch_disk() {
    bool full = segment::disk_space().full();
    if (full == std::exchange(disk_full_, full)) return;
    if (full)
        spdlog::error("the disk of \"{}\" is full: WAL is not taken, and commits that need this safekeeper wait until there is room",
                      data_directory_.string());
    else
        spdlog::info("there is room again on the disk of \"{}\"", data_directory_.string());
}

Result<bool> BranchSet::create(const BranchName& name, const BranchOrigin& origin) {
    std::lock_guard change(change_mutex_);
    auto existing = find_branch(name);
    if (existing) {
        if ((*existing)->origin() == origin) return false;
        return Error{ErrorCode::already_exists, name.to_string() + " exists with another beginning", {}};
    }
    if (existing.error().code != ErrorCode::not_found) return existing.error();
    BOUGH_ASSIGN(auto branch, Branch::create(directory_of(name), name, origin, environment_));
    branch->start();
    std::lock_guard lock(mutex_);
    branches_.emplace(name, std::move(branch));
    return true;
}

Result<void> BranchSet::remove(const BranchName& name) {
    std::lock_guard change(change_mutex_);
    std::shared_ptr<Branch> branch;
    {
        std::lock_guard lock(mutex_);
        if (auto found = branches_.find(name); found != branches_.end()) branch = found->second;
        if (!branch && !refused_.contains(name)) return {};
    }
    if (branch) {
        // What its children inherit they take now.
        for (const auto& child : branches())
            if (child->name().project == name.project && child->origin().parent == name.branch) BOUGH_TRY(child->first_lsn());
        branch->stop();
    }
    {
        std::lock_guard lock(mutex_);
        branches_.erase(name);
        refused_.erase(name);
    }
    // Out of the way in one step, so that a crash leaves it whole or gone.
    std::error_code error;
    auto removed = data_directory_ / "removed";
    std::filesystem::create_directories(removed, error);
    auto doomed = removed / (name.project.str() + "." + name.branch.str());
    std::filesystem::remove_all(doomed, error);
    std::filesystem::rename(directory_of(name), doomed, error);
    if (error) return io_error("could not remove \"" + directory_of(name).string() + "\"", error.value());
    segment::sync_directory(directory_of(name).parent_path());
    std::filesystem::remove_all(doomed, error);
    // Only if that was the project's last.
    std::filesystem::remove(directory_of(name).parent_path(), error);
    return {};
}

Result<std::shared_ptr<Branch>> BranchSet::find_branch(const BranchName& name) const {
    std::lock_guard lock(mutex_);
    if (auto found = branches_.find(name); found != branches_.end()) return found->second;
    if (auto found = refused_.find(name); found != refused_.end()) return found->second;
    return Error{ErrorCode::not_found, name.to_string() + " does not exist on this safekeeper", {}};
}

std::vector<BranchName> BranchSet::names() const {
    std::lock_guard lock(mutex_);
    std::vector<BranchName> result;
    for (const auto& [name, branch] : branches_) result.push_back(name);
    for (const auto& [name, error] : refused_) result.push_back(name);
    return result;
}

std::vector<std::shared_ptr<Branch>> BranchSet::branches() const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Branch>> result;
    result.reserve(branches_.size());
    for (const auto& [name, branch] : branches_) result.push_back(branch);
    return result;
}

Result<std::shared_ptr<serve::WalSource>> BranchSet::find(const ProjectId& project, const BranchId& branch) {
    BOUGH_ASSIGN(auto found, find_branch({project, branch}));
    return std::shared_ptr<serve::WalSource>(std::move(found));
}

}  // namespace bough::safekeeper
