#include "pageserver/testing/fake_redo.hpp"

#include <algorithm>

namespace bough::pageserver {

void fake_apply(pg::Page page, const RedoRecord& record) {
    constexpr std::size_t kDigestAt = 64;
    std::uint64_t digest = 0;
    std::memcpy(&digest, page.data() + kDigestAt, sizeof(digest));
    const auto mix = [&](std::uint64_t value) { digest = (digest ^ value) * 0x100000001B3ull + (digest >> 29); };
    mix(record.start.value);
    mix(record.end.value);
    for (const std::byte b : record.bytes) mix(std::to_integer<std::uint64_t>(b));
    std::memcpy(page.data() + kDigestAt, &digest, sizeof(digest));
    // The page's LSN, as Postgres lays it out.
    const auto high = static_cast<std::uint32_t>(record.end.value >> 32);
    const auto low = static_cast<std::uint32_t>(record.end.value);
    std::memcpy(page.data(), &high, sizeof(high));
    std::memcpy(page.data() + sizeof(high), &low, sizeof(low));
}

void FakeRedo::apply_many(std::span<RedoJob> jobs) {
    for (RedoJob& job : jobs) {
        const pg::Page page(job.page, pg::kPageBytes);
        if (job.request.base != nullptr)
            std::memcpy(job.page, job.request.base, pg::kPageBytes);
        else
            std::ranges::fill(page, std::byte{0});
        for (const RedoRecord& record : job.request.records) fake_apply(page, record);
        records += job.request.records.size();
    }
}

}  // namespace bough::pageserver
