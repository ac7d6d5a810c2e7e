#include "pageserver/branching/projects.hpp"

#include <condition_variable>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kFlushCheckInterval = 500ms;
// A store with much to lose is flushed soon; one with little waits longer, since every flush makes a file.
constexpr auto kFlushAge = 5s;
constexpr auto kFlushAgeOfLittle = 20s;
constexpr std::size_t kLittleBytes = 1 << 20;

bool due(const Store& store, std::chrono::steady_clock::time_point now) {
    const auto since = store.dirty_since();
    if (!since) return false;
    return now - *since >= (store.dirty_bytes() < kLittleBytes ? kFlushAgeOfLittle : kFlushAge);
}

Error file_error(const std::string& what, const std::error_code& code) { return io_error(what, code.value()); }

Result<void> sync_directory(const fs::path& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return io_error("could not open \"" + directory.string() + "\"", errno);
    const int failed = ::fsync(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0) return io_error("could not sync \"" + directory.string() + "\"", failed);
    return {};
}

Error no_such_project(const ProjectId& id) { return Error{ErrorCode::not_found, "no project \"" + id.str() + "\"", {}}; }

}  // namespace

Projects::Projects(fs::path data_directory, StoreResources& resources, std::chrono::milliseconds close_after)
    : data_directory_(std::move(data_directory)), resources_(resources), close_after_(close_after) {}

fs::path Projects::directory_of(const ProjectId& id) const { return data_directory_ / "projects" / id.str(); }

fs::path Projects::scratch_directory(const ProjectId& id) const { return data_directory_ / "scratch" / id.str(); }

Result<std::unique_ptr<Projects>> Projects::open(const fs::path& data_directory, StoreResources& resources,
                                                 std::chrono::milliseconds close_after) {
    std::unique_ptr<Projects> projects(new Projects(data_directory, resources, close_after));
    std::error_code failed;
    fs::remove_all(data_directory / "scratch", failed);
    if (failed) return file_error("could not remove \"" + (data_directory / "scratch").string() + "\"", failed);
    for (const char* part : {"projects", "scratch"}) {
        fs::create_directories(data_directory / part, failed);
        if (failed) return file_error("could not create \"" + (data_directory / part).string() + "\"", failed);
    }
    for (const auto& entry : fs::directory_iterator(data_directory / "projects", failed)) {
        const auto id = ProjectId::parse(entry.path().filename().string());
        if (id && entry.is_directory())
            projects->slots_.emplace(*id, std::make_shared<Slot>());
        else
            spdlog::warn("\"{}\" is not a project, left alone", entry.path().string());
    }
    if (failed) return file_error("could not read \"" + (data_directory / "projects").string() + "\"", failed);
    projects->flusher_ = std::jthread([raw = projects.get()](const std::stop_token& stop) { raw->flush_in_background(stop); });
    return projects;
}

Projects::~Projects() {
    flusher_.request_stop();
    if (flusher_.joinable()) flusher_.join();
    for (const auto& project : opened())
        if (const auto flushed = project->store().flush(); !flushed)
            spdlog::error("project {}: {}", project->id().str(), flushed.error().to_string());
}

void Projects::flush_in_background(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex);
            stopped.wait_for(lock, stop, kFlushCheckInterval, [] { return false; });
        }
        for (const auto& project : opened()) {
            project->store().drop_unused_seekers();
            if (stop.stop_requested() || !due(project->store(), std::chrono::steady_clock::now())) continue;
            if (const auto flushed = project->store().flush(); !flushed)
                spdlog::error("project {}: {}", project->id().str(), flushed.error().to_string());
        }
        close_idle(std::chrono::steady_clock::now() - close_after_);
    }
}

std::size_t Projects::close_idle(std::chrono::steady_clock::time_point last_use) {
    std::vector<std::pair<ProjectId, std::shared_ptr<Slot>>> all;
    {
        const std::lock_guard lock(mutex_);
        all.assign(slots_.begin(), slots_.end());
    }
    std::size_t closed = 0;
    for (const auto& [id, slot] : all) closed += close_idle(id, *slot, last_use) ? 1 : 0;
    return closed;
}

void Projects::close_unused(const ProjectId& id) {
    if (const auto found = slot(id)) close_idle(id, **found, {});
}

bool Projects::close_idle(const ProjectId& id, Slot& slot, std::chrono::steady_clock::time_point last_use) {
    // While this is held nobody is handed the project.
    const std::unique_lock opening(slot.opening, std::try_to_lock);
    if (!opening || slot.project == nullptr || slot.last_use > last_use || Project::held_elsewhere(slot.project)) return false;
    // What could not be flushed would have to be read from the safekeepers again.
    if (const auto flushed = slot.project->store().flush(); !flushed) {
        spdlog::error("project {}: {}", id.str(), flushed.error().to_string());
        return false;
    }
    slot.project.reset();
    spdlog::info("project {}: closed, since nobody uses it", id.str());
    return true;
}

std::shared_ptr<Project> Projects::project_if_open(const ProjectId& id) const {
    const auto found = slot(id);
    if (!found) return nullptr;
    const std::unique_lock opening((*found)->opening, std::try_to_lock);
    return opening ? (*found)->project : nullptr;
}

Result<std::shared_ptr<Projects::Slot>> Projects::slot(const ProjectId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(id);
    if (found == slots_.end()) return no_such_project(id);
    return found->second;
}

Result<std::shared_ptr<Project>> Projects::project(const ProjectId& id) { return open_project(id, true); }

Result<std::shared_ptr<Project>> Projects::look_at(const ProjectId& id) { return open_project(id, false); }

Result<std::shared_ptr<Project>> Projects::open_project(const ProjectId& id, bool used) {
    BOUGH_ASSIGN(const auto found, slot(id));
    const std::lock_guard opening(found->opening);
    if (found->removed) return no_such_project(id);
    if (used) found->last_use = std::chrono::steady_clock::now();
    if (found->project == nullptr) {
        BOUGH_ASSIGN(found->project, Project::open(id, directory_of(id), resources_));
    }
    return found->project;
}

Result<std::shared_ptr<Branch>> Projects::branch(const ProjectId& project_id, const BranchId& branch_id) {
    BOUGH_ASSIGN(const auto found, project(project_id));
    return found->branch(branch_id);
}

std::optional<Result<std::shared_ptr<Branch>>> Projects::branch_if_open(const ProjectId& project_id, const BranchId& branch_id) {
    const auto found = slot(project_id);
    if (!found) return found.error();
    const std::unique_lock opening((*found)->opening, std::try_to_lock);
    if (!opening || (*found)->project == nullptr) return std::nullopt;
    (*found)->last_use = std::chrono::steady_clock::now();
    return (*found)->project->branch(branch_id);
}

std::vector<ProjectId> Projects::ids() const {
    const std::lock_guard lock(mutex_);
    std::vector<ProjectId> all;
    for (const auto& [id, slot] : slots_) all.push_back(id);
    return all;
}

std::vector<std::shared_ptr<Project>> Projects::opened() const {
    std::vector<std::shared_ptr<Slot>> all;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, slot] : slots_) all.push_back(slot);
    }
    std::vector<std::shared_ptr<Project>> projects;
    for (const auto& slot : all) {
        // One that is being opened or removed just now is not open.
        const std::unique_lock opening(slot->opening, std::try_to_lock);
        if (opening && slot->project != nullptr) projects.push_back(slot->project);
    }
    return projects;
}

Result<std::shared_ptr<Project>> Projects::create(const ProjectId& id, const Fill& fill) {
    auto made = std::make_shared<Slot>();
    std::unique_lock opening(made->opening);
    {
        const std::lock_guard lock(mutex_);
        if (!slots_.emplace(id, made).second)
            return Error{ErrorCode::already_exists, "project \"" + id.str() + "\" already exists", {}};
    }
    const auto build = [&]() -> Result<void> {
        const fs::path scratch = scratch_directory(id);
        std::error_code failed;
        fs::remove_all(scratch, failed);
        fs::create_directories(scratch, failed);
        if (failed) return file_error("could not create \"" + scratch.string() + "\"", failed);
        BOUGH_TRY(fill(scratch));
        BOUGH_TRY(sync_directory(scratch));
        fs::rename(scratch, directory_of(id), failed);
        if (failed) return file_error("could not put project \"" + id.str() + "\" into place", failed);
        BOUGH_TRY(sync_directory(data_directory_ / "projects"));
        BOUGH_ASSIGN(made->project, Project::open(id, directory_of(id), resources_));
        made->last_use = std::chrono::steady_clock::now();
        return {};
    };
    if (const auto built = build(); !built) {
        made->removed = true;
        std::error_code ignored;
        fs::remove_all(scratch_directory(id), ignored);
        fs::remove_all(directory_of(id), ignored);
        const std::lock_guard lock(mutex_);
        slots_.erase(id);
        return built.error();
    }
    return made->project;
}

Result<void> Projects::remove(const ProjectId& id) {
    BOUGH_ASSIGN(const auto doomed, slot(id));
    const std::lock_guard opening(doomed->opening);
    if (doomed->removed) return no_such_project(id);
    const fs::path scratch = scratch_directory(id);
    std::error_code failed;
    fs::remove_all(scratch, failed);
    // Readers may keep the store open for a while: it must not write into a later project of the same name.
    if (doomed->project != nullptr) doomed->project->store().abandon();
    fs::rename(directory_of(id), scratch, failed);
    if (failed) return file_error("could not remove project \"" + id.str() + "\"", failed);
    BOUGH_TRY(sync_directory(data_directory_ / "projects"));
    doomed->removed = true;
    if (doomed->project != nullptr)
        for (const auto& branch : doomed->project->branches()) branch->mark_deleted();
    doomed->project.reset();
    {
        const std::lock_guard lock(mutex_);
        slots_.erase(id);
    }
    // Readers that still hold the store keep its open files; the names can go.
    fs::remove_all(scratch, failed);
    if (failed) spdlog::warn("could not remove all of \"{}\": {}", scratch.string(), failed.message());
    return {};
}

}  // namespace bough::pageserver
