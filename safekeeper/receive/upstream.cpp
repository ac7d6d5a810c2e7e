#include "safekeeper/receive/upstream.hpp"

#include <poll.h>

#include <cctype>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include "pgwire/field_reader.hpp"
#include "pgwire/reply.hpp"

namespace bough::safekeeper::receive {
namespace {

using namespace std::chrono_literals;

constexpr auto kAnswerTimeout = 10s;  // of connecting, and of a command

// libpq's messages end in a newline and may have several lines.
std::string one_line(const char* message) {
    std::string text = message == nullptr ? "" : message;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (char& c : text)
        if (c == '\n') c = ' ';
    return text;
}

// Microseconds since 2000-01-01, as the replication protocol counts.
std::uint64_t postgres_now() {
    constexpr auto kEpoch = std::chrono::seconds(946684800);
    auto now = std::chrono::system_clock::now().time_since_epoch() - kEpoch;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

// The server's "requested WAL segment has already been removed".
bool says_removed(const PGresult* result) {
    const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate != nullptr && std::string_view(sqlstate) == "58P01";
}

Error stopped() { return {ErrorCode::unavailable, "receiving was stopped", {}}; }

}  // namespace

void Upstream::Close::operator()(pg_conn* connection) const { PQfinish(connection); }
void Upstream::Close::operator()(pg_result* result) const { PQclear(result); }

Upstream::~Upstream() { free_message(); }
Upstream::Upstream(Upstream&& other) noexcept
    : connection_(std::move(other.connection_)), stop_(other.stop_), message_(std::exchange(other.message_, nullptr)), output_left_(other.output_left_) {}
Upstream& Upstream::operator=(Upstream&& other) noexcept {
    if (this != &other) {
        free_message();
        connection_ = std::move(other.connection_);
        stop_ = other.stop_;
        message_ = std::exchange(other.message_, nullptr);
        output_left_ = other.output_left_;
    }
    return *this;
}

void Upstream::free_message() {
    if (message_ != nullptr) PQfreemem(std::exchange(message_, nullptr));
}

Error Upstream::connection_error(const std::string& what) const {
    return {ErrorCode::unavailable, what + ": " + one_line(PQerrorMessage(connection_.get())), {}};
}

Result<Upstream> Upstream::connect(const UpstreamOptions& options, const StopSignal& stop) {
    // The conninfo comes first, so that what we need overrides it; options add up.
    char* parse_error = nullptr;
    PQconninfoOption* parsed = PQconninfoParse(options.conninfo.c_str(), &parse_error);
    if (parsed == nullptr) {
        Error error{ErrorCode::invalid_argument, "invalid connection string: " + one_line(parse_error), {}};
        PQfreemem(parse_error);
        return error;
    }
    std::string startup_options = options.options;
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    auto set = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    for (auto* option = parsed; option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        if (std::strcmp(option->keyword, "options") == 0)
            startup_options = std::string(option->val) + " " + startup_options;
        else
            set(option->keyword, option->val);
    }
    set("replication", "true");
    set("dbname", "replication");
    set("application_name", options.application_name.c_str());
    set("options", startup_options.c_str());
    set(nullptr, nullptr);
    pg_conn* started = PQconnectStartParams(keywords.data(), values.data(), 0);
    PQconninfoFree(parsed);
    if (started == nullptr) return Error{ErrorCode::internal, "out of memory", {}};
    Upstream upstream(started, stop);
    if (PQstatus(started) == CONNECTION_BAD) return upstream.connection_error("could not connect");
    BOUGH_TRY(upstream.finish_connecting());
    PQsetnonblocking(started, 1);
    return upstream;
}

Result<void> Upstream::finish_connecting() {
    auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED) return connection_error("could not connect");
        BOUGH_TRY(wait_for(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
        status = PQconnectPoll(connection_.get());
    }
    return {};
}

Result<void> Upstream::wait_for(short events, std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left <= 0ms) return Error{ErrorCode::timeout, "the server does not answer", {}};
        pollfd watched[] = {{PQsocket(connection_.get()), events, 0}, {stop_->descriptor(), POLLIN, 0}};
        int ready = ::poll(watched, 2, static_cast<int>(left.count()));
        if (watched[1].revents != 0) return stopped();
        if (ready > 0) return {};
    }
}

Result<Upstream::ResultPointer> Upstream::execute(const std::string& command) {
    auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
    if (PQsendQuery(connection_.get(), command.c_str()) != 1) return connection_error("could not send " + command);
    ResultPointer last;
    for (;;) {
        while (int left = PQflush(connection_.get())) {
            if (left < 0) return connection_error("could not send " + command);
            BOUGH_TRY(wait_for(POLLOUT, deadline));
        }
        while (PQisBusy(connection_.get()) != 0) {
            BOUGH_TRY(wait_for(POLLIN, deadline));
            if (PQconsumeInput(connection_.get()) != 1) return connection_error("lost the connection during " + command);
        }
        ResultPointer result(PQgetResult(connection_.get()));
        if (!result) return last;
        last = std::move(result);
        // A stream has begun: its end is not waited for.
        if (PQresultStatus(last.get()) == PGRES_COPY_BOTH) return last;
    }
}

Result<Identity> Upstream::identify() {
    BOUGH_ASSIGN(auto result, execute("IDENTIFY_SYSTEM"));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return connection_error("IDENTIFY_SYSTEM failed");
    if (PQntuples(result.get()) != 1 || PQnfields(result.get()) < 3)
        return Error{ErrorCode::corrupt, "IDENTIFY_SYSTEM gave an unexpected answer", {}};
    Identity identity;
    std::string_view system_id = PQgetvalue(result.get(), 0, 0);
    std::string_view timeline = PQgetvalue(result.get(), 0, 1);
    auto end = Lsn::parse(PQgetvalue(result.get(), 0, 2));
    auto parse = [](std::string_view text, auto& value) {
        return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
    };
    if (!parse(system_id, identity.system_id.value) || !parse(timeline, identity.timeline) || !end)
        return Error{ErrorCode::corrupt, "IDENTIFY_SYSTEM gave an unexpected answer", {}};
    identity.end = *end;
    return identity;
}

// A temporary slot has one owner, and goes with its connection. As it reserves no WAL, it keeps none.
Result<void> Upstream::take_name(const std::string& name) {
    std::string slot;
    for (char c : name) slot += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : '_';
    BOUGH_ASSIGN(auto result, execute("CREATE_REPLICATION_SLOT \"" + slot + "\" TEMPORARY PHYSICAL"));
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) return {};
    const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    if (sqlstate != nullptr && std::string_view(sqlstate) == "42710")
        return Error{ErrorCode::unavailable, "an older connection of \"" + name + "\" is still there", {}};
    return connection_error("CREATE_REPLICATION_SLOT failed");
}

Result<std::optional<std::string>> Upstream::show(const std::string& setting) {
    BOUGH_ASSIGN(auto result, execute("SHOW " + setting));
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK && PQntuples(result.get()) == 1)
        return std::optional<std::string>(PQgetvalue(result.get(), 0, 0));
    const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    if (sqlstate != nullptr && std::string_view(sqlstate) == "42704") return std::optional<std::string>();
    return connection_error("SHOW " + setting + " failed");
}

Result<void> Upstream::start_replication(Lsn from) {
    BOUGH_ASSIGN(auto result, execute("START_REPLICATION PHYSICAL " + from.to_string() + " TIMELINE 1"));
    if (PQresultStatus(result.get()) == PGRES_COPY_BOTH) return {};
    auto error = connection_error("could not start replication at " + from.to_string());
    if (says_removed(result.get())) error.code = ErrorCode::out_of_range;
    return error;
}

Result<std::optional<Incoming>> Upstream::receive() {
    free_message();
    int length = PQgetCopyData(connection_.get(), &message_, 1);
    if (length == 0) {
        if (PQconsumeInput(connection_.get()) != 1) return connection_error("lost the connection");
        length = PQgetCopyData(connection_.get(), &message_, 1);
        if (length == 0) return std::optional<Incoming>{};
    }
    if (length == -2) return connection_error("replication failed");
    if (length == -1) {
        ResultPointer result(PQgetResult(connection_.get()));
        std::string reason = one_line(PQresultErrorMessage(result.get()));
        return Error{says_removed(result.get()) ? ErrorCode::out_of_range : ErrorCode::unavailable,
                     reason.empty() ? "the server ended the stream" : reason, {}};
    }
    pgwire::FieldReader reader{std::string_view(message_, static_cast<std::size_t>(length))};
    auto type = reader.u8();
    auto at = reader.u64();
    if (type == 'w' && at && reader.u64() && reader.u64()) {
        return std::optional<Incoming>{{.kind = Incoming::Kind::wal, .at = Lsn{*at}, .bytes = std::as_bytes(std::span(reader.rest()))}};
    }
    if (type == 'k' && at && reader.u64()) {
        if (auto wanted = reader.u8())
            return std::optional<Incoming>{{.kind = Incoming::Kind::keepalive, .at = Lsn{*at}, .bytes = {}, .reply_requested = *wanted != 0}};
    }
    return Error{ErrorCode::corrupt, "unexpected message in the replication stream", {}};
}

Result<void> Upstream::reply(Lsn flush, bool request_answer) {
    std::string body = "r";
    pgwire::append_u64(body, flush.value);  // written
    pgwire::append_u64(body, flush.value);  // flushed
    pgwire::append_u64(body, flush.value);  // applied
    pgwire::append_u64(body, postgres_now());
    pgwire::append_u8(body, request_answer ? 1 : 0);
    if (PQputCopyData(connection_.get(), body.data(), static_cast<int>(body.size())) != 1)
        return connection_error("could not report the flush position");
    return flush_output();
}

Result<void> Upstream::flush_output() {
    int left = PQflush(connection_.get());
    if (left < 0) return connection_error("could not report the flush position");
    output_left_ = left > 0;
    return {};
}

Result<void> Upstream::wait(std::chrono::milliseconds timeout) {
    short events = output_left_ ? POLLIN | POLLOUT : POLLIN;
    pollfd watched[] = {{PQsocket(connection_.get()), events, 0}, {stop_->descriptor(), POLLIN, 0}};
    ::poll(watched, 2, static_cast<int>(timeout.count()));
    if (output_left_) return flush_output();
    return {};
}

}  // namespace bough::safekeeper::receive
