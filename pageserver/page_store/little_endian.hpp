// Reading and writing little-endian integers in stored values.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bough::pageserver {

static_assert(std::endian::native == std::endian::little, "stored values are copied as they lie in memory");

template <std::integral T>
void append_le(std::string& out, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
}

// Seven bits a byte, lowest first; the top bit says that more follow.
inline void append_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

// Takes integers and bytes off the front of a value that may be anything; after the first failure all reads give zeros.
class ValueReader {
public:
    explicit ValueReader(std::string_view bytes) : rest_(bytes) {}

    template <std::integral T>
    T take() {
        T value{};
        if (rest_.size() < sizeof(T)) {
            fail();
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_.remove_prefix(sizeof(T));
        return value;
    }
    std::uint64_t take_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = take<std::uint8_t>();
            const std::uint64_t bits = byte & 0x7F;
            if (shift == 63 && bits > 1) break;
            value |= bits << shift;
            if ((byte & 0x80) == 0) return value;
        }
        fail();
        return 0;
    }
    std::string_view take_bytes(std::size_t count) {
        if (rest_.size() < count) {
            fail();
            return {};
        }
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::string_view take_rest() { return take_bytes(rest_.size()); }

    bool failed() const { return failed_; }
    bool done() const { return !failed_ && rest_.empty(); }

private:
    void fail() {
        failed_ = true;
        rest_ = {};
    }
    std::string_view rest_;
    bool failed_ = false;
};

}  // namespace bough::pageserver
