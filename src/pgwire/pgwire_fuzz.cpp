// Fuzzes what a stranger can send to a listening port: startup packets, their options, messages.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pgwire/message.hpp"
#include "pgwire/startup.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace bough::pgwire;
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (auto startup = parse_startup(bytes); startup && *startup) {
        if ((*startup)->size > size) std::abort();
        (void)(*startup)->protocol_options();
        (void)parse_options((*startup)->parameter("options"));
    }
    (void)parse_options(bytes);
    while (true) {
        auto message = parse_message(bytes, 4096);
        if (!message || !*message) break;
        if ((*message)->size > bytes.size()) std::abort();
        (void)text_of_body(**message);
        bytes.remove_prefix((*message)->size);
    }
    return 0;
}
