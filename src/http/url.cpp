#include "http/url.hpp"

#include "http/client.hpp"

namespace bough::http {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            result += ' ';
        } else if (text[i] == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            result += static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::optional<Target> parse_target(std::string_view target) {
    if (!target.starts_with('/')) return std::nullopt;
    auto question = std::min(target.find('?'), target.size());
    Target result;
    result.path = target.substr(0, question);
    if (!decode(result.path)) return std::nullopt;
    for (std::size_t at = question + 1; at < target.size();) {
        auto end = std::min(target.find('&', at), target.size());
        auto pair = target.substr(at, end - at);
        auto equals = std::min(pair.find('='), pair.size());
        auto key = decode(pair.substr(0, equals), true);
        auto value = decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view{}, true);
        if (!key || !value) return std::nullopt;
        if (!key->empty()) result.query[*key] = *value;
        at = end + 1;
    }
    return result;
}

std::string encode(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string result;
    for (char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                     c == '.' || c == '~';
        if (plain) {
            result += c;
        } else {
            auto byte = static_cast<unsigned char>(c);
            result += '%';
            result += kDigits[byte >> 4];
            result += kDigits[byte & 15];
        }
    }
    return result;
}

}  // namespace bough::http
