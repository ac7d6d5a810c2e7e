#include "pgwire/startup.hpp"

#include <algorithm>

#include "pgwire/field_reader.hpp"

namespace bough::pgwire {
namespace {

constexpr std::uint32_t kCancelRequest = 1234u << 16 | 5678;
constexpr std::uint32_t kSslRequest = 1234u << 16 | 5679;
constexpr std::uint32_t kGssEncRequest = 1234u << 16 | 5680;
constexpr std::size_t kParametersMax = 100;

Error malformed(std::string_view what) {
    return {ErrorCode::invalid_argument, "invalid startup packet: " + std::string(what), {}};
}

Result<std::map<std::string, std::string>> parse_parameters(FieldReader reader) {
    std::map<std::string, std::string> parameters;
    for (;;) {
        auto name = reader.c_string();
        if (!name) return malformed("a name is not terminated");
        if (name->empty()) break;
        auto value = reader.c_string();
        if (!value) return malformed("a value is not terminated");
        parameters[std::string(*name)] = std::string(*value);
        if (parameters.size() > kParametersMax) return malformed("too many parameters");
    }
    if (reader.remaining() != 0) return malformed("bytes after its end");
    return parameters;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::vector<std::string> split_options(std::string_view options) {
    std::vector<std::string> words;
    auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    std::size_t at = 0;
    for (;;) {
        while (at < options.size() && blank(options[at])) ++at;
        if (at == options.size()) return words;
        std::string word;
        for (; at < options.size() && !blank(options[at]); ++at) {
            if (options[at] == '\\' && ++at == options.size()) break;
            word += options[at];
        }
        words.push_back(std::move(word));
    }
}

}  // namespace

std::string_view StartupPacket::parameter(const std::string& name) const {
    auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view{} : std::string_view{found->second};
}

std::vector<std::string> StartupPacket::protocol_options() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : parameters)
        if (name.starts_with("_pq_.")) names.push_back(name);
    return names;
}

Result<std::optional<StartupPacket>> parse_startup(std::string_view bytes) {
    FieldReader reader{bytes};
    auto size = reader.u32();
    if (!size) return std::optional<StartupPacket>{};
    // Judged before the rest has come: what is no startup packet must not make the server wait or allocate.
    if (*size < 8 || *size > kStartupBytesMax) return malformed("its length is " + std::to_string(*size));
    auto code = reader.u32();
    if (!code) return std::optional<StartupPacket>{};
    bool request = *code == kSslRequest || *code == kGssEncRequest || *code == kCancelRequest;
    if (!request && *code >> 16 != 3) {
        return Error{ErrorCode::unsupported,
                     "unsupported frontend protocol " + std::to_string(*code >> 16) + "." + std::to_string(*code & 0xFFFF),
                     "this server speaks protocol 3.0"};
    }
    if (bytes.size() < *size) return std::optional<StartupPacket>{};

    StartupPacket packet;
    packet.size = *size;
    FieldReader body{bytes.substr(8, *size - 8)};
    if (*code == kCancelRequest) {
        packet.kind = StartupKind::cancel_request;
        auto process = body.u32();
        auto secret = body.u32();
        if (!process || !secret) return malformed("a cancel request without its key");
        packet.cancel_process = *process;
        packet.cancel_secret = *secret;
    } else if (*code == kSslRequest || *code == kGssEncRequest) {
        packet.kind = *code == kSslRequest ? StartupKind::ssl_request : StartupKind::gssenc_request;
        if (body.remaining() != 0) return malformed("bytes after its end");
    } else {
        packet.minor_version = static_cast<std::uint16_t>(*code & 0xFFFF);
        BOUGH_ASSIGN(packet.parameters, parse_parameters(body));
    }
    return std::optional<StartupPacket>{std::move(packet)};
}

Result<std::map<std::string, std::string>> parse_options(std::string_view options) {
    std::map<std::string, std::string> settings;
    auto words = split_options(options);
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string_view setting;
        if (words[i] == "-c" && i + 1 < words.size()) {
            setting = words[++i];
        } else if (words[i].starts_with("-c") && words[i].size() > 2) {
            setting = std::string_view(words[i]).substr(2);
        } else if (words[i].starts_with("--")) {
            setting = std::string_view(words[i]).substr(2);
        }
        auto equals = setting.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            return Error{ErrorCode::invalid_argument, "invalid command-line argument in options: " + words[i],
                         "write options as \"-c name=value\""};
        }
        settings[std::string(setting.substr(0, equals))] = std::string(setting.substr(equals + 1));
    }
    return settings;
}

bool means_physical_replication(std::string_view value) {
    for (std::string_view yes : {"true", "on", "yes", "1"})
        if (equals_ignoring_case(value, yes)) return true;
    return false;
}

}  // namespace bough::pgwire
