#include "control/computes/compute_quorum.hpp"

#include <chrono>
#include <memory>
#include <thread>

#include <libpq-fe.h>

#include "election/standby_quorum.hpp"

namespace bough::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kReloadTimeout = 5s;
constexpr auto kReloadPoll = 5ms;
constexpr auto kKeepAwayPoll = 1ms;
// The file and line for which the server would take nothing of a reload, if there is one.
constexpr const char* kUnreadable = "select sourcefile || ':' || sourceline from pg_file_settings where name is null and error is not null limit 1";

class Session {
public:
    static Result<Session> open(const std::string& conninfo) {
        Session session(PQconnectdb((conninfo + " connect_timeout=5 application_name=bough_control").c_str()));
        if (PQstatus(session.connection_.get()) != CONNECTION_OK) return session.failure("cannot connect to the compute");
        return session;
    }

    // The first column of the first row; empty when there is none.
    Result<std::string> value(const char* query) {
        std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), query), &PQclear);
        if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return failure("the compute refused a query");
        if (PQntuples(result.get()) == 0) return std::string();
        return std::string(PQgetvalue(result.get(), 0, 0));
    }

private:
    explicit Session(PGconn* connection) : connection_(connection, &PQfinish) {}
    Error failure(const std::string& what) const {
        std::string why = PQerrorMessage(connection_.get());
        while (!why.empty() && why.back() == '\n') why.pop_back();
        return {ErrorCode::unavailable, what + ": " + why, {}};
    }
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// A session of its own each time: it has the settings that the postmaster had read when it began.
Result<std::string> setting_of_new_processes(const std::string& conninfo) {
    BOUGH_ASSIGN(auto session, Session::open(conninfo));
    return session.value("select current_setting('synchronous_standby_names')");
}

// Until the session ends the safekeeper does not stream from this compute: its name is taken, and no sender of it is left. Who
// follows takes its name first, as a temporary slot (decision 0011).
Result<void> keep_away(Session& session, const std::string& safekeeper) {
    const auto name = "bough_" + safekeeper;
    // pg_terminate_backend()'s own wait looks every 100 ms, and a safekeeper is back sooner than that.
    const auto end = "select count(*) filter (where pg_terminate_backend(pid) is not null) from pg_stat_replication where application_name = '" + name + "'";
    const auto take = "select slot_name from pg_create_physical_replication_slot('" + name +
                      "', false, true) where not exists (select from pg_replication_slots where slot_name = '" + name + "')";
    const auto deadline = std::chrono::steady_clock::now() + kReloadTimeout;
    std::string why = "it does not end";
    for (bool taken = false;;) {
        BOUGH_ASSIGN(auto left, session.value(end.c_str()));
        // A sender gives its slot back a moment before it stops counting.
        if (taken && left == "0") return {};
        if (!taken) {
            auto slot = session.value(take.c_str());
            taken = slot && !slot->empty();
            if (!slot) why = slot.error().message;  // such as that somebody was quicker between the look and the taking
        }
        if (std::chrono::steady_clock::now() > deadline)
            return Error{ErrorCode::timeout, "the WAL sender of safekeeper " + safekeeper + " could not be kept away: " + why, "see the compute's log"};
        std::this_thread::sleep_for(kKeepAwayPoll);
    }
}

}  // namespace

Result<Lsn> require_quorum(const std::string& superuser, const std::filesystem::path& directory, const compute::StandbyQuorum& quorum,
                           const std::vector<std::string>& leavers) {
    const auto wanted = compute::synchronous_standby_names(quorum);
    BOUGH_ASSIGN(auto now, setting_of_new_processes(superuser));
    BOUGH_ASSIGN(auto session, Session::open(superuser));
    std::vector<std::string> apart = leavers;
    if (now != wanted) {
        BOUGH_ASSIGN(auto unreadable, session.value(kUnreadable));
        if (!unreadable.empty())
            return Error{ErrorCode::failed_precondition, "the compute's configuration file " + unreadable + " cannot be read",
                         "mend that line: until then the compute takes no other settings"};
        apart = election::named_by_either(election::named_by_either(compute::standbys_of(now), quorum.standbys), leavers);
    }
    for (const auto& name : apart) BOUGH_TRY(keep_away(session, name));
    if (now != wanted) {
        BOUGH_TRY(compute::write_quorum(directory, quorum));
        BOUGH_TRY(session.value("select pg_reload_conf()"));
        const auto deadline = std::chrono::steady_clock::now() + kReloadTimeout;
        for (;;) {
            BOUGH_ASSIGN(now, setting_of_new_processes(superuser));
            if (now == wanted) break;
            if (std::chrono::steady_clock::now() > deadline)
                return Error{ErrorCode::timeout, "the compute goes on with synchronous_standby_names = '" + now + "' instead of '" + wanted + "'",
                             "see the compute's log"};
            std::this_thread::sleep_for(kReloadPoll);
        }
    }
    // Those that began before the postmaster read its files last; pg_terminate_backend waits for their end. Asked in a session that began
    // since: an older one has its own time of reading them, or none yet.
    BOUGH_ASSIGN(auto fresh, Session::open(superuser));
    BOUGH_ASSIGN(auto left, fresh.value("select count(*) filter (where not pg_terminate_backend(pid, 5000)) from pg_stat_replication "
                                          "where application_name like 'bough\\_%' and backend_start <= pg_conf_load_time()"));
    if (left.size() != 1 || left.front() != '0') return Error{ErrorCode::timeout, left + " WAL senders of the compute do not end", {}};
    BOUGH_ASSIGN(auto flushed, fresh.value("select pg_current_wal_flush_lsn()::text"));
    auto lsn = Lsn::parse(flushed);
    if (!lsn) return Error{ErrorCode::internal, "the compute is at \"" + flushed + "\", which is no LSN", {}};
    return *lsn;
}

}  // namespace bough::control
