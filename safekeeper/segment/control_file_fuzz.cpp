// A control file that decodes is encoded to the same bytes; none crashes the decoder. The checksum is made right first, so that
// the fuzzer reaches what lies behind it.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "base/crc32c.hpp"
#include "safekeeper/segment/control_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace bough::safekeeper::segment;
    std::string bytes(reinterpret_cast<const char*>(data), size);
    if (size >= 4) {
        auto crc = bough::crc32c(std::as_bytes(std::span(bytes).first(size - 4)));
        for (std::size_t i = 0; i < 4; ++i) bytes[size - 4 + i] = static_cast<char>(crc >> (8 * i) & 0xFF);
    }
    auto control = decode_control_file(bytes);
    if (!control) return 0;
    auto again = encode_control_file(*control);
    if (decode_control_file(again).value() != *control) std::abort();
    // Of the present version, the bytes too; an older one is written anew as the present one.
    if (static_cast<unsigned char>(bytes[8]) == kControlFileVersion && again != bytes) std::abort();
    return 0;
}
