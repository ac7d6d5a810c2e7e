// Any bytes a worker may send, in pieces whose sizes the input chooses too.
#include <algorithm>
#include <cstring>

#include "bough/check.hpp"
#include "pageserver/redo/redo_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bough::pageserver::ReplyReader reader;
    while (size > 1) {
        const auto space = reader.space();
        BOUGH_CHECK(!space.empty());
        // The first byte of a piece says how long it is, and whether it goes many times over.
        const std::size_t piece = std::min<std::size_t>({std::size_t{data[0] & 0x7Fu} + 1, size - 1, space.size()});
        const int repeats = (data[0] & 0x80) != 0 ? 256 : 1;
        for (int i = 0; i < repeats; i++) {
            const auto room = reader.space();
            const std::size_t count = std::min(piece, room.size());
            std::memcpy(room.data(), data + 1, count);
            reader.received(count);
            for (;;) {
                const auto reply = reader.next();
                if (!reply) return 0;
                if (!*reply) break;
                // Touch all of it.
                std::byte sum{};
                for (const std::byte b : (*reply)->body) sum ^= b;
                BOUGH_CHECK((*reply)->body.size() <= bough::pg::kPageBytes && (sum == sum));
            }
        }
        data += piece + 1;
        size -= piece + 1;
    }
    return 0;
}
