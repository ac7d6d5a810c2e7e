#include <cstdint>
#include <string_view>

#include "safekeeper/serve/replication_command.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)bough::safekeeper::serve::parse_replication_command(std::string_view(reinterpret_cast<const char*>(data), size));
    return 0;
}
