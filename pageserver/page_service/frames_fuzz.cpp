// Fuzzes what anyone can send to the page service.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "pageserver/page_service/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace bough::pageserver;
    if (size == 0) return 0;
    // The first byte says in which pieces the rest arrives.
    const std::size_t piece = std::size_t{data[0]} + 1;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    FrameReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
        while (true) {
            const auto frame = reader.next();
            if (!frame) {
                (void)encode_error(0, frame.error());
                return 0;
            }
            if (!*frame) break;
            const auto* request = std::get_if<GetPagesFrame>(&**frame);
            if (request == nullptr) continue;
            if (request->count == 0 || request->count > BOUGH_PAGES_PER_REQUEST_MAX) std::abort();
            (void)encode_pages_prefix(*request, 1, request->lsn);
        }
    }
    return 0;
}
