// bough check
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cli/api_client.hpp"
#include "cli/privileges.hpp"
#include "http/client.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

constexpr auto kFileTimeout = std::chrono::minutes(10);
constexpr auto kProgressEvery = std::chrono::seconds(2);

struct Damage {
    std::string project;
    std::string file;  // empty: of the project as a whole
    std::string message;
};

// Takes note of what was found, and says so as it comes.
class Findings {
public:
    explicit Findings(bool quiet) : quiet_(quiet) {}

    void project(const std::string& id, std::size_t files, std::uint64_t bytes) {
        project_ = id;
        files_left_ = files;
        files_ += files;
        bytes_ += bytes;
        ++projects_;
        if (!quiet_) std::cout << "project " << id << ": " << files << " files, " << bytes / (1 << 20) << " MB" << std::endl;
    }
    void damage(const std::string& file, const std::string& message) {
        if (!quiet_) std::cout << "damaged: project " << project_ << ": " << message << std::endl;
        damaged_.push_back({project_, file, message});
    }
    void file_done() {
        if (files_left_ > 0) --files_left_;
        const auto now = std::chrono::steady_clock::now();
        if (quiet_ || now - said_ < kProgressEvery) return;
        said_ = now;
        std::cout << "  " << files_left_ << " files left" << std::endl;
    }

    // The exit status.
    int conclude(bool online, bool json) const {
        if (json) {
            json::array damaged;
            for (const Damage& one : damaged_) {
                json::object entry{{"project", one.project}, {"file", nullptr}, {"message", one.message}};
                if (!one.file.empty()) entry["file"] = one.file;
                damaged.push_back(std::move(entry));
            }
            std::cout << boost::json::serialize(json::object{
                             {"online", online}, {"projects", projects_}, {"files", files_}, {"bytes", bytes_}, {"damaged", std::move(damaged)}})
                      << "\n";
        } else if (damaged_.empty()) {
            std::cout << "all " << files_ << " files of " << projects_ << " projects are as they were written\n";
        } else {
            std::cout << "damage in " << damaged_.size() << (damaged_.size() == 1 ? " place" : " places") << "; " << files_ << " files were read\n";
        }
        return damaged_.empty() ? 0 : 1;
    }

private:
    const bool quiet_;
    std::string project_;
    std::size_t files_left_ = 0;
    std::size_t projects_ = 0;
    std::size_t files_ = 0;
    std::uint64_t bytes_ = 0;
    std::vector<Damage> damaged_;
    std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

// What the pageserver says of a project: {"files":[{"name","bytes"}],"damage"}. The files' names.
Result<std::vector<std::string>> take_listing(const std::string& project, const json::object& listing, Findings& findings) {
    const auto* files = listing.if_contains("files");
    if (files == nullptr || !files->is_array()) return Error{ErrorCode::internal, "the pageserver lists no files", {}};
    std::vector<std::string> names;
    std::uint64_t bytes = 0;
    for (const auto& entry : files->as_array()) {
        if (!entry.is_object()) return Error{ErrorCode::internal, "the pageserver lists what is no file", {}};
        BOUGH_ASSIGN(auto name, json::string_field(entry.as_object(), "name"));
        BOUGH_ASSIGN(auto size, json::unsigned_field(entry.as_object(), "bytes"));
        names.push_back(std::move(name));
        bytes += size;
    }
    findings.project(project, names.size(), bytes);
    if (const auto* damage = listing.if_contains("damage"); damage && damage->is_string()) findings.damage({}, std::string(damage->as_string()));
    return names;
}

void take_file(const std::string& file, const json::object& checked, Findings& findings) {
    if (const auto* damage = checked.if_contains("damage"); damage && damage->is_string()) findings.damage(file, std::string(damage->as_string()));
    findings.file_done();
}

// Beside the pageserver that runs, by what it reads itself.
Result<void> check_online(const CommonOptions& common, const SystemFiles& files, Findings& findings) {
    BOUGH_ASSIGN(auto address, net::Address::parse("unix:" + (files.run_directory() / "pageserver-admin.sock").string()));
    http::Client pageserver(address);
    std::vector<std::string> projects;
    if (common.project.empty()) {
        BOUGH_ASSIGN(auto answer, pageserver.call("GET", "/v1/projects"));
        boost::system::error_code failed;
        const auto listed = boost::json::parse(answer, failed);
        if (failed || !listed.is_array()) return Error{ErrorCode::internal, "the pageserver lists no projects", {}};
        for (const auto& id : listed.as_array())
            if (id.is_string()) projects.emplace_back(id.as_string());
    } else {
        BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
        BOUGH_ASSIGN(auto answer, api.get("/api/v2/projects/" + http::encode(common.project)));
        BOUGH_ASSIGN(auto fields, json::object_field(answer, "project"));
        BOUGH_ASSIGN(auto id, json::string_field(fields, "id"));
        projects.push_back(id);
    }
    for (const auto& project : projects) {
        const auto target = "/v1/projects/" + http::encode(project) + "/files";
        BOUGH_ASSIGN(auto answer, pageserver.call("GET", target, {}, kFileTimeout));
        BOUGH_ASSIGN(auto listing, json::parse_object(answer));
        BOUGH_ASSIGN(auto names, take_listing(project, listing, findings));
        for (const auto& name : names) {
            auto checked = pageserver.call("POST", target + "/" + http::encode(name) + "/check", {}, kFileTimeout);
            // It was rewritten meanwhile, and read for that.
            if (!checked && checked.error().code == ErrorCode::not_found) {
                findings.file_done();
                continue;
            }
            if (!checked) return checked.error();
            BOUGH_ASSIGN(auto fields, json::parse_object(*checked));
            take_file(name, fields, findings);
        }
    }
    return {};
}

// Runs a program, and gives each line of its output; its exit status.
Result<int> run_reading(const std::vector<std::string>& command, const std::function<Result<void>(const std::string&)>& line) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) return io_error("pipe", errno);
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) return io_error("fork", errno);
    if (child == 0) {
        ::dup2(pipe[1], 1);
        ::close(pipe[0]);
        ::close(pipe[1]);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(pipe[1]);
    Result<void> taken;
    {
        const std::unique_ptr<FILE, int (*)(FILE*)> output(::fdopen(pipe[0], "r"), ::fclose);
        std::string text;
        for (int c = 0; taken && (c = std::fgetc(output.get())) != EOF;) {
            if (c != '\n') {
                text += static_cast<char>(c);
                continue;
            }
            taken = line(std::exchange(text, {}));
        }
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    BOUGH_TRY(taken);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

// What the pageserver left, by its own program.
Result<void> check_offline(const CommonOptions& common, const SystemFiles& files, Findings& findings) {
    BOUGH_TRY(files.read_settings());
    BOUGH_TRY(become_unprivileged(common.data_dir));
    const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    std::vector<std::string> command{(programs / "bough-pageserver").string(), "check", "--data-dir", (files.root() / "pageserver").string()};
    if (!common.project.empty()) command.insert(command.end(), {"--project", common.project});
    BOUGH_ASSIGN(const int status, run_reading(command, [&](const std::string& line) -> Result<void> {
                     BOUGH_ASSIGN(auto fields, json::parse_object(line));
                     BOUGH_ASSIGN(auto project, json::string_field(fields, "project"));
                     BOUGH_ASSIGN(auto file, json::string_field_or(fields, "file", ""));
                     if (!file.empty()) {
                         take_file(file, fields, findings);
                         return {};
                     }
                     const auto listing = take_listing(project, fields, findings);
                     if (!listing) return listing.error();
                     return {};
                 }));
    if (status == 0 || status == 1) return {};
    return Error{ErrorCode::internal, "the files could not be checked",
                 common.project.empty() ? std::string() : "while the system does not run, a project is named by its id"};
}

Result<int> check(const CommonOptions& common) {
    SystemFiles files{std::filesystem::path(common.data_dir)};
    const bool online = supervisor_runs(files) || control_runs(files);
    Findings findings(common.json);
    BOUGH_TRY(online ? check_online(common, files, findings) : check_offline(common, files, findings));
    return findings.conclude(online, common.json);
}

}  // namespace

void add_check(CLI::App& app, CommonOptions& common, Action& action) {
    auto* verb = app.add_subcommand("check", "Read all that is stored of the projects and see whether it is as it was written; exit status 1 when something is damaged");
    add_common(*verb, common);
    verb->callback([&action, &common] { action = [&common] { return check(common); }; });
}

}  // namespace bough::cli
