// Takes big-endian integers and strings off the front of untrusted bytes, never past their end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bough::pgwire {

class FieldReader {
public:
    explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

    std::size_t remaining() const { return bytes_.size(); }
    std::string_view rest() const { return bytes_; }

    std::optional<std::uint8_t> u8() { return integer<std::uint8_t>(); }
    std::optional<std::uint16_t> u16() { return integer<std::uint16_t>(); }
    std::optional<std::uint32_t> u32() { return integer<std::uint32_t>(); }
    std::optional<std::uint64_t> u64() { return integer<std::uint64_t>(); }

    // Up to the next zero byte, which is taken too; nothing when there is none.
    std::optional<std::string_view> c_string() {
        auto zero = bytes_.find('\0');
        if (zero == std::string_view::npos) return std::nullopt;
        auto text = bytes_.substr(0, zero);
        bytes_.remove_prefix(zero + 1);
        return text;
    }

private:
    template <class T>
    std::optional<T> integer() {
        if (bytes_.size() < sizeof(T)) return std::nullopt;
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<unsigned char>(bytes_[i]);
        bytes_.remove_prefix(sizeof(T));
        return static_cast<T>(value);
    }

    std::string_view bytes_;
};

}  // namespace bough::pgwire
