// Damage to a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace bough::pageserver {

// One bit of the byte at `at`.
inline void flip_bit(const std::filesystem::path& file, std::uint64_t at) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
}

}  // namespace bough::pageserver
