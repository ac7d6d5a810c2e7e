#include "cli/system_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include <boost/json/serialize.hpp>

#include "files/files.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {
constexpr std::uint64_t kFormat = 2;  // 1 had a number of safekeepers, which is read as their first names
constexpr unsigned kSafekeepersMax = 999;  // below the SQL ports, see daemon_commands()

Result<std::vector<std::string>> safekeepers_in(const json::object& fields, std::uint64_t format) {
    if (format == 1) {
        BOUGH_ASSIGN(auto count, json::unsigned_field(fields, "safekeepers"));
        if (count >= 1 && count <= kSafekeepersMax) return first_safekeepers(static_cast<unsigned>(count));
    }
    const auto* list = fields.if_contains("safekeepers");
    std::vector<std::string> names;
    if (list != nullptr && list->is_array())
        for (const auto& item : list->get_array())
            if (item.is_string() && safekeeper_number(std::string(item.get_string()))) names.emplace_back(item.get_string());
    if (names.empty() || (list->is_array() && names.size() != list->get_array().size()))
        return Error{ErrorCode::corrupt, "field \"safekeepers\" lists no safekeepers", {}};
    return names;
}

// Whether some process holds that lock file (files::Lock).
bool held(const std::filesystem::path& lock) {
    int fd = ::open(lock.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    ::close(fd);
    return !free;
}
}  // namespace

Result<SystemSettings> SystemFiles::read_settings() const {
    auto text = files::read(settings());
    if (!text) {
        if (text.error().code != ErrorCode::not_found) return text.error();
        return Error{ErrorCode::not_found, "there is no Bough system in " + root_.string(), "start one with `bough up`, or name another --data-dir"};
    }
    auto fields = json::parse_object(*text);
    if (!fields) return Error{ErrorCode::corrupt, settings().string() + ": " + fields.error().message, {}};
    BOUGH_ASSIGN(auto format, json::unsigned_field(*fields, "format"));
    if (format == 0 || format > kFormat) {
        return Error{ErrorCode::unsupported,
                     root_.string() + " has format " + std::to_string(format) + ", this version of Bough reads up to format " + std::to_string(kFormat),
                     "use the version of Bough that wrote it, or another --data-dir"};
    }
    SystemSettings result;
    BOUGH_ASSIGN(result.safekeepers, safekeepers_in(*fields, format));
    BOUGH_ASSIGN(auto api_port, json::unsigned_field(*fields, "api_port"));
    BOUGH_ASSIGN(auto sql_port, json::unsigned_field(*fields, "sql_port"));
    result.api_port = static_cast<std::uint16_t>(api_port);
    result.sql_port = static_cast<std::uint16_t>(sql_port);
    if (fields->contains("wal_keep_bytes")) {
        BOUGH_ASSIGN(result.wal_keep_bytes, json::unsigned_field(*fields, "wal_keep_bytes"));
    }
    return result;
}

Result<void> SystemFiles::write_settings(const SystemSettings& value) const {
    json::array safekeepers;
    for (const auto& name : value.safekeepers) safekeepers.emplace_back(name);
    json::object fields{{"format", kFormat}, {"safekeepers", std::move(safekeepers)}, {"api_port", value.api_port}, {"sql_port", value.sql_port}, {"wal_keep_bytes", value.wal_keep_bytes}};
    return files::write_atomically(settings(), boost::json::serialize(fields) + "\n");
}

std::vector<std::string> first_safekeepers(unsigned count) {
    std::vector<std::string> names;
    for (unsigned i = 1; i <= count; ++i) names.push_back("sk" + std::to_string(i));
    return names;
}

std::optional<unsigned> safekeeper_number(const std::string& name) {
    unsigned number = 0;
    auto [end, failed] = std::from_chars(name.data() + std::min<std::size_t>(2, name.size()), name.data() + name.size(), number);
    if (failed != std::errc{} || number == 0 || number > kSafekeepersMax || name != "sk" + std::to_string(number)) return std::nullopt;
    return number;
}

Result<void> write_supervisor_status(const SystemFiles& files, const SupervisorStatus& status) {
    json::array daemons;
    for (const auto& daemon : status.daemons)
        daemons.push_back(json::object{{"name", daemon.name}, {"pid", daemon.pid}, {"state", daemon.state}, {"restarts", daemon.restarts}});
    return bough::files::replace(files.supervisor(), boost::json::serialize(json::object{{"pid", status.pid}, {"daemons", std::move(daemons)}}) + "\n");
}

Result<SupervisorStatus> read_supervisor_status(const SystemFiles& files) {
    BOUGH_ASSIGN(auto text, bough::files::read(files.supervisor()));
    BOUGH_ASSIGN(auto fields, json::parse_object(text));
    SupervisorStatus status;
    BOUGH_ASSIGN(auto pid, json::unsigned_field(fields, "pid"));
    status.pid = static_cast<int>(pid);
    const auto* daemons = fields.if_contains("daemons");
    if (!daemons || !daemons->is_array()) return status;
    for (const auto& entry : daemons->as_array()) {
        if (!entry.is_object()) continue;
        DaemonStatus daemon;
        BOUGH_ASSIGN(daemon.name, json::string_field(entry.as_object(), "name"));
        BOUGH_ASSIGN(auto daemon_pid, json::unsigned_field(entry.as_object(), "pid"));
        BOUGH_ASSIGN(daemon.state, json::string_field(entry.as_object(), "state"));
        BOUGH_ASSIGN(auto restarts, json::unsigned_field(entry.as_object(), "restarts"));
        daemon.pid = static_cast<int>(daemon_pid);
        daemon.restarts = static_cast<unsigned>(restarts);
        status.daemons.push_back(std::move(daemon));
    }
    return status;
}

bool supervisor_runs(const SystemFiles& files) { return held(files.lock()); }
bool control_runs(const SystemFiles& files) { return held(files.control_lock()); }

}  // namespace bough::cli
