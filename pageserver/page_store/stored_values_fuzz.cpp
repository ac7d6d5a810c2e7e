// Fuzzes the decoders of what the page store keeps: keys, page versions, runs of them and all other rows.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.hpp"
#include "pageserver/page_store/image_columns.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/touched_set.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {
namespace {

void decode_page(std::string_view bytes) {
    std::vector<PageStep> steps;
    if (!decode_page_version(bytes, Lsn{1ull << 32}, steps)) return;
    if (steps.empty()) std::abort();
    std::array<std::byte, pg::kPageBytes> page;
    std::string memory;
    for (const PageStep& step : steps) {
        if (step.type == PageStep::Type::zero || step.type == PageStep::Type::image) step.write_page(page);
        memory.resize(step.size());
        if (step.copied_to(memory.data()).bytes != memory) std::abort();
    }
}

void decode_columns(std::string_view bytes) {
    if (!are_image_columns(bytes)) return;
    std::array<std::byte, pg::kPageBytes> page;
    write_image_columns(bytes, page);
    std::string again;
    if (!append_image_columns(again, page) || again != bytes) std::abort();
}

void decode_row(std::string_view bytes) {
    const auto content = decode_presence(bytes);
    if (!content || !*content) return;
    (void)decode_length(**content);
    (void)decode_position(**content);
    (void)decode_commit_time(**content);
    (void)decode_origin(**content);
    (void)decode_counters(**content);
    (void)decode_parameters(**content);
    TouchedSet touched;
    (void)touched.add_encoded(**content);
}

// Under its own checksum nothing but whole runs would be seen: the body is fuzzed with the right one.
void decode_run(std::string_view bytes) {
    const auto key = encode_version_key(BranchNumber{1}, ObjectKey::page({}), Lsn{1ull << 32});
    const std::string_view key_bytes(key.data(), key.size());
    const std::uint32_t checksum = crc32c_extend(crc32c(std::as_bytes(std::span(key_bytes))), std::as_bytes(std::span(bytes)));
    std::string value(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    value.append(bytes);
    PageRun run;
    if (!run.parse(key_bytes, value)) return;
    if (run.size() == 0 || !run.newest_at(Lsn{1ull << 32})) std::abort();
    PageRunWriter writer;
    for (const RunVersion& version : run) {
        (void)is_base_version(version.value);
        writer.add(version.lsn, version.value);
    }
    std::string again;
    writer.encode(key_bytes, again);
    PageRun same;
    if (!same.parse(key_bytes, again) || same.size() != run.size()) std::abort();
}

void decode_key(std::string_view bytes) {
    const auto key = decode_version_key(bytes);
    if (!key) return;
    const auto again = encode_version_key(key->branch, key->object, key->lsn);
    if (std::string_view(again.data(), again.size()) != bytes) std::abort();
}

}  // namespace
}  // namespace bough::pageserver

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    bough::pageserver::decode_page(bytes);
    bough::pageserver::decode_columns(bytes);
    bough::pageserver::decode_row(bytes);
    bough::pageserver::decode_run(bytes);
    bough::pageserver::decode_key(bytes);
    return 0;
}
