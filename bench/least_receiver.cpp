// The least that a receiver of a synchronous commit must do: take WAL, write it, sync it, say so. What a safekeeper does beyond that it can be
// compared with; it keeps nothing that anyone could read. least_receiver CONNINFO FILE
//
// A ring of a size that is there from the beginning, so that no sync waits for metadata. Errors end the program with a message.
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <unistd.h>

namespace {

constexpr std::size_t kRingBytes = 256u << 20;
constexpr std::size_t kDataHeaderBytes =
    25;  // 'w', and three numbers of eight bytes, of which the first is where the data begins
constexpr std::size_t kReplyBytes = 34;

std::uint64_t number_at(const char* bytes) {
    std::uint64_t number;
    std::memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

class Ring {
public:
    explicit Ring(const char* path) : file_(::open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
        if (file_ < 0) fail(path);
        const std::vector<char> zeros(1 << 20);
        for (std::size_t at = 0; at < kRingBytes; at += zeros.size()) put(at, {zeros.data(), zeros.size()});
        sync();
    }
    void write(std::uint64_t position, std::string_view data) {
        while (!data.empty()) {
            const std::size_t at = position % kRingBytes;
            const std::string_view piece = data.substr(0, kRingBytes - at);
            put(at, piece);
            position += piece.size();
            data.remove_prefix(piece.size());
        }
    }
    void sync() {
        if (::fdatasync(file_) != 0) fail("fdatasync");
    }

private:
    void put(std::size_t at, std::string_view piece) {
        if (::pwrite(file_, piece.data(), piece.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(piece.size()))
            fail("pwrite");
    }
    int file_;
};

// Says that everything up to there is written, synced and applied.
void reply(PGconn* connection, std::uint64_t position) {
    std::array<char, kReplyBytes> message{'r'};
    const std::uint64_t in_order = htobe64(position);
    for (const std::size_t at : {1, 9, 17}) std::memcpy(message.data() + at, &in_order, sizeof(in_order));
    if (PQputCopyData(connection, message.data(), message.size()) != 1 || PQflush(connection) != 0)
        throw std::runtime_error(PQerrorMessage(connection));
}

void receive(PGconn* connection, Ring& ring) {
    std::uint64_t written = 0, synced = 0;
    while (true) {
        char* message = nullptr;
        bool asked = false;
        int bytes;
        while ((bytes = PQgetCopyData(connection, &message, 1)) > 0) {
            const std::unique_ptr<char, decltype(&PQfreemem)> held(message, PQfreemem);
            if (message[0] == 'k') asked |= message[17] != 0;
            if (message[0] != 'w') continue;
            const std::string_view data(message + kDataHeaderBytes, static_cast<std::size_t>(bytes) - kDataHeaderBytes);
            ring.write(number_at(message + 1), data);
            written = number_at(message + 1) + data.size();
        }
        if (bytes < 0) throw std::runtime_error(PQerrorMessage(connection));
        if (written > synced) {
            ring.sync();
            synced = written;
            asked = true;
        }
        if (asked) reply(connection, synced);
        pollfd input{PQsocket(connection), POLLIN, 0};
        if (::poll(&input, 1, -1) < 0 && errno != EINTR) fail("poll");
        if (PQconsumeInput(connection) != 1) throw std::runtime_error(PQerrorMessage(connection));
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: least_receiver CONNINFO FILE\n");
        return EXIT_FAILURE;
    }
    try {
        Ring ring(argv[2]);
        const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
            PQconnectdb((std::string(argv[1]) + " replication=true").c_str()), PQfinish);
        if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
        const std::unique_ptr<PGresult, decltype(&PQclear)> system(PQexec(connection.get(), "IDENTIFY_SYSTEM"), PQclear);
        if (PQresultStatus(system.get()) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
        const std::string start = fmt::format("START_REPLICATION PHYSICAL {}", PQgetvalue(system.get(), 0, 2));
        const std::unique_ptr<PGresult, decltype(&PQclear)> started(PQexec(connection.get(), start.c_str()), PQclear);
        if (PQresultStatus(started.get()) != PGRES_COPY_BOTH) throw std::runtime_error(PQerrorMessage(connection.get()));
        receive(connection.get(), ring);
    } catch (const std::exception& error) {
        fmt::print(stderr, "least_receiver: {}\n", error.what());
        return EXIT_FAILURE;
    }
}
