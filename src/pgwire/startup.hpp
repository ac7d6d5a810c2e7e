// The first packet of a connection in Postgres's protocol 3, as a server sees it. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"

namespace bough::pgwire {

// Postgres's own limit (MAX_STARTUP_PACKET_LENGTH).
inline constexpr std::uint32_t kStartupBytesMax = 10000;

enum class StartupKind {
    startup,         // the parameters of a session
    ssl_request,     // answer with one byte, 'S' or 'N'; another first packet follows
    gssenc_request,  // answer with one byte, 'G' or 'N'; another first packet follows
    cancel_request,  // no answer: act on it or not, and close
};

struct StartupPacket {
    StartupKind kind = StartupKind::startup;
    std::uint16_t minor_version = 0;                // of protocol 3; above 0 is negotiated down
    std::map<std::string, std::string> parameters;  // the last of a repeated name
    std::uint32_t cancel_process = 0;
    std::uint32_t cancel_secret = 0;
    std::size_t size = 0;  // bytes of the whole packet, length word and all

    // Empty when absent.
    std::string_view parameter(const std::string& name) const;
    // Protocol options (names "_pq_.…"), none of which this server knows.
    std::vector<std::string> protocol_options() const;
};

// The packet at the front of `bytes`, or nothing while more are needed. ErrorCode::invalid_argument: this is no startup
// packet (nothing more can be made of the connection); unsupported: another protocol version.
Result<std::optional<StartupPacket>> parse_startup(std::string_view bytes);

// The settings in the startup parameter "options": "-c name=value" and "--name=value", split at blanks as Postgres does
// (a backslash makes the next character ordinary). invalid_argument for anything else.
Result<std::map<std::string, std::string>> parse_options(std::string_view options);

// As Postgres reads the parameter "replication": true, on, yes, 1 (physical); "database" is logical and not meant here.
bool means_physical_replication(std::string_view value);

}  // namespace bough::pgwire
