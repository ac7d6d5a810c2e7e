// Reads and writes Postgres's on-disk integers, which have the byte order of the machine that wrote them; we serve
// little-endian ones only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace bough::pg {

static_assert(std::endian::native == std::endian::little, "Postgres data of this machine's byte order is read as it is");

// No alignment is asked of `at`; it must have sizeof(T) bytes.
template <class T>
T load(const std::byte* at) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <class T>
void store(std::byte* at, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(at, &value, sizeof value);
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

template <class T>
void append(std::string& to, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Postgres's MAXALIGN: records and tuples begin at multiples of eight.
inline constexpr std::size_t kMaxAlign = 8;
template <class T>
constexpr T max_align(T value) {
    return (value + (kMaxAlign - 1)) & ~T{kMaxAlign - 1};
}

// Takes fields off the front of untrusted bytes. A read past the end gives zeros and leaves the reader failed for good, so
// that a decoder may check once, after a group of reads, and before it uses any of them.
class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <class T>
    T take() {
        const auto bytes = take_bytes(sizeof(T));
        return bytes.size() == sizeof(T) ? load<T>(bytes.data()) : T{};
    }

    // Empty when there are fewer than `count`.
    std::span<const std::byte> take_bytes(std::size_t count) {
        if (failed_ || count > rest_.size()) {
            failed_ = true;
            return {};
        }
        const auto taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    // Up to and without the next zero byte, which is taken too.
    std::string_view take_c_string() {
        const auto text = as_text(rest_);
        const auto end = failed_ ? std::string_view::npos : text.find('\0');
        if (end == std::string_view::npos) {
            failed_ = true;
            return {};
        }
        rest_ = rest_.subspan(end + 1);
        return text.substr(0, end);
    }

    void skip(std::size_t count) { take_bytes(count); }
    std::span<const std::byte> rest() const { return rest_; }
    std::size_t left() const { return failed_ ? 0 : rest_.size(); }
    bool failed() const { return failed_; }

private:
    std::span<const std::byte> rest_;
    bool failed_ = false;
};

}  // namespace bough::pg
