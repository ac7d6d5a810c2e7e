#include "pageserver/ingest/replication_client.hpp"

#include <array>
#include <cstdint>
#include <string_view>

#include <libpq-fe.h>

#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kConnectTimeout = 10s;
constexpr auto kCommandTimeout = 10s;

struct ConnectionCloser {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ResultCloser {
    void operator()(PGresult* result) const { PQclear(result); }
};
struct MemoryFreer {
    void operator()(char* memory) const { PQfreemem(memory); }
};
using ResultHandle = std::unique_ptr<PGresult, ResultCloser>;

std::uint64_t read_be64(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

void write_be64(char*& at, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<char>(value >> shift & 0xFF);
}

// libpq's messages end in a newline and may have several lines.
std::string one_line(const char* message) {
    std::string text = message;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (char& c : text)
        if (c == '\n') c = ' ';
    return text;
}

std::chrono::milliseconds left(Clock::time_point deadline) {
    return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()));
}

}  // namespace

struct ReplicationClient::Impl {
    explicit Impl(const StopSignal& s) : stop(s) {}

    const StopSignal& stop;
    std::unique_ptr<PGconn, ConnectionCloser> connection;
    std::unique_ptr<char, MemoryFreer> message;  // what the last Message points into

    Error failure(std::string_view doing) const {
        if (stop.raised()) return {ErrorCode::unavailable, std::string(doing) + ": stopped", {}};
        return {ErrorCode::unavailable, std::string(doing) + ": " + one_line(PQerrorMessage(connection.get())), {}};
    }
    Result<void> finish_connecting();
    Result<ResultHandle> get_result();
    Result<std::optional<Message>> parse(std::span<const std::byte> bytes) const;
};

ReplicationClient::ReplicationClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReplicationClient::~ReplicationClient() = default;

Result<std::unique_ptr<ReplicationClient>> ReplicationClient::connect(const std::string& conninfo, const StopSignal& stop) {
    // The conninfo stands in for "dbname"; what follows it wins over what it says.
    const std::array<const char*, 4> keywords = {"dbname", "replication", "fallback_application_name", nullptr};
    const std::array<const char*, 4> values = {conninfo.c_str(), "true", "bough-pageserver", nullptr};
    auto impl = std::make_unique<Impl>(stop);
    impl->connection.reset(PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/1));
    if (impl->connection == nullptr) return Error{ErrorCode::internal, "out of memory in libpq", {}};
    BOUGH_TRY(impl->finish_connecting());
    return std::unique_ptr<ReplicationClient>(new ReplicationClient(std::move(impl)));
}

Result<void> ReplicationClient::Impl::finish_connecting() {
    const auto deadline = Clock::now() + kConnectTimeout;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    if (PQstatus(connection.get()) == CONNECTION_BAD) return failure("could not connect to the WAL service");
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED) return failure("could not connect to the WAL service");
        if (Clock::now() >= deadline) return Error{ErrorCode::unavailable, "connecting to the WAL service took too long", {}};
        stop.wait_for_socket(PQsocket(connection.get()), status == PGRES_POLLING_WRITING, left(deadline));
        if (stop.raised()) return failure("could not connect to the WAL service");
        status = PQconnectPoll(connection.get());
    }
    return {};
}

Result<ResultHandle> ReplicationClient::Impl::get_result() {
    const auto deadline = Clock::now() + kCommandTimeout;
    while (PQisBusy(connection.get()) != 0) {
        if (stop.raised() || Clock::now() >= deadline)
            return Error{ErrorCode::unavailable, "the WAL service did not answer in time", {}};
        if (stop.wait_for_socket(PQsocket(connection.get()), false, left(deadline)) && PQconsumeInput(connection.get()) == 0)
            return failure("lost the WAL service");
    }
    return ResultHandle(PQgetResult(connection.get()));
}

Result<void> ReplicationClient::start_replication(Lsn begin) {
    const std::string command = "START_REPLICATION PHYSICAL " + begin.to_string() + " TIMELINE 1";
    if (PQsendQuery(impl_->connection.get(), command.c_str()) == 0) return impl_->failure("could not start replication");
    BOUGH_ASSIGN(const ResultHandle result, impl_->get_result());
    if (PQresultStatus(result.get()) != PGRES_COPY_BOTH)
        return Error{ErrorCode::unavailable,
                     "could not start replication at " + begin.to_string() + ": " + one_line(PQresultErrorMessage(result.get())),
                     {}};
    return {};
}

Result<std::optional<ReplicationClient::Message>> ReplicationClient::next(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    PGconn* connection = impl_->connection.get();
    while (true) {
        char* buffer = nullptr;
        const int length = PQgetCopyData(connection, &buffer, /*async=*/1);
        impl_->message.reset(buffer);
        if (length > 0) {
            BOUGH_ASSIGN(auto message, impl_->parse(std::as_bytes(std::span(buffer, static_cast<std::size_t>(length)))));
            if (message) return message;
            continue;
        }
        if (length == -1) return Error{ErrorCode::unavailable, "the WAL service ended the stream", {}};
        if (length < 0) return impl_->failure("lost the WAL service");
        if (impl_->stop.wait_for_socket(PQsocket(connection), false, left(deadline))) {
            if (PQconsumeInput(connection) == 0) return impl_->failure("lost the WAL service");
        } else if (impl_->stop.raised() || Clock::now() >= deadline) {
            return std::optional<Message>{};
        }
    }
}

Result<std::optional<ReplicationClient::Message>> ReplicationClient::Impl::parse(std::span<const std::byte> bytes) const {
    constexpr std::size_t kWalHeaderBytes = 1 + 8 + 8 + 8;  // 'w', begin, server's end, time
    constexpr std::size_t kKeepaliveBytes = 1 + 8 + 8 + 1;  // 'k', server's end, time, reply requested
    const char type = std::to_integer<char>(bytes[0]);
    Message parsed;
    if (type == 'w' && bytes.size() >= kWalHeaderBytes) {
        parsed.begin = Lsn{read_be64(bytes.subspan(1))};
        parsed.server_end = Lsn{read_be64(bytes.subspan(9))};
        parsed.wal = bytes.subspan(kWalHeaderBytes);
        return std::optional{parsed};
    }
    if (type == 'k' && bytes.size() == kKeepaliveBytes) {
        parsed.server_end = Lsn{read_be64(bytes.subspan(1))};
        parsed.reply_requested = bytes[17] != std::byte{0};
        return std::optional{parsed};
    }
    return Error{ErrorCode::corrupt, "the WAL service sent a message of no known form", {}};
}

Result<void> ReplicationClient::send_status(Lsn written, Lsn flushed, Lsn applied) {
    std::array<char, 1 + 4 * 8 + 1> message;
    char* at = message.data();
    *at++ = 'r';
    for (const Lsn lsn : {written, flushed, applied}) write_be64(at, lsn.value);
    write_be64(at, static_cast<std::uint64_t>(now_in_postgres_time()));
    *at = 0;  // no reply wanted
    if (PQputCopyData(impl_->connection.get(), message.data(), static_cast<int>(message.size())) != 1 ||
        PQflush(impl_->connection.get()) < 0)
        return impl_->failure("lost the WAL service");
    return {};
}

}  // namespace bough::pageserver
