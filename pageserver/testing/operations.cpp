#include "pageserver/testing/operations.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "pg/page_edit.hpp"
#include "pg/wal_format.hpp"

namespace bough::pageserver {
std::vector<Operation> OperationMaker::make_record(const ModelState& before) {
    // What looks at much of the state comes alone in its record, as in Postgres.
    std::vector<Operation> operations;
    if (chance(15)) {
        operations.push_back(make_large_operation(before));
        return operations;
    }
    for (std::uint32_t i = 1 + below(3); i > 0; --i) operations.push_back(make_operation());
    return operations;
}

std::string OperationMaker::bytes(std::uint32_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
}

std::string OperationMaker::record() {
    std::string record = bytes(1 + below(60));
    if (chance(2)) return record;
    const auto length = static_cast<std::uint32_t>(sizeof(pg::WalRecordHeader) + record.size());
    const pg::WalRecordHeader header{length, below(1000), 0, static_cast<std::uint8_t>(below(256)), static_cast<std::uint8_t>(below(22)), 0, 0};
    return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + record;
}

std::vector<std::byte> OperationMaker::image() {
    std::vector<std::byte> page(pg::kPageBytes);
    if (chance(5)) return page;
    const std::string content = bytes(200);
    std::ranges::copy(std::as_bytes(std::span(content)), page.begin());
    if (chance(3)) {
        // As a heap's that has line pointers and no rows, which is kept by columns once its history is gone.
        const std::array<std::uint16_t, 3> lower_upper_special = {static_cast<std::uint16_t>(72 + 4 * below(32)),
                                                                  static_cast<std::uint16_t>(4096 + 8 * below(400)), pg::kPageBytes};
        std::memcpy(page.data() + 12, lower_upper_special.data(), sizeof(lower_upper_special));
        std::ranges::fill(std::span(page).subspan(24, 200 - 24), std::byte{0});
        page[8000] = static_cast<std::byte>(below(256));
        return page;
    }
    // A header that claims a hole, true or not.
    const std::uint16_t lower = static_cast<std::uint16_t>(24 + below(200));
    const std::uint16_t upper = static_cast<std::uint16_t>(chance(4) ? below(9000) : 4096 + below(4097));
    std::memcpy(page.data() + 12, &lower, 2);
    std::memcpy(page.data() + 14, &upper, 2);
    page[8000] = static_cast<std::byte>(below(256));
    return page;
}

Operation OperationMaker::make_large_operation(const ModelState& before) {
    if (!chance(3)) return database(before);
    const auto slru = chance(2) ? pg::Slru::xact : pg::Slru::multixact_offsets;
    return [slru, limit = below(4)](pg::ChangeSink& s) { s.slru_drop_segments(slru, DropBelow(limit)); };
}

Operation OperationMaker::make_operation() {
    switch (below(24)) {
        case 0:
        case 1:
            return
                [t = tag(), page = image()](pg::ChangeSink& s) { s.page_image(t, pg::ConstPage(page.data(), pg::kPageBytes)); };
        case 2:
            return [t = tag(), page = bytes(24 + below(300)), begin = 24 + below(200), lsn = Lsn{below(1000)}](pg::ChangeSink& s) {
                const auto hole = static_cast<std::uint16_t>(std::min<std::size_t>(begin, page.size()));
                s.page_image_without_hole(t, std::as_bytes(std::span(page)), hole, lsn);
            };
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
            return [t = tag(), base = chance(6) ? pg::PageBase::zero : pg::PageBase::previous, record = record()](
                       pg::ChangeSink& s) { s.page_record(t, base, std::as_bytes(std::span(record))); };
        case 9:
        case 10: return page_edit();
        case 11: return [f = any_fork()](pg::ChangeSink& s) { s.fork_create(f); };
        case 12:
        case 13: return [f = any_fork(), n = below(blocks_max_)](pg::ChangeSink& s) { s.fork_truncate(f, n); };
        case 14: return [r = relation()](pg::ChangeSink& s) { s.relation_drop(r); };
        case 15: return [d = 5 + below(3), text = bytes(20)](pg::ChangeSink& s) { s.relation_map(1663, d, text); };
        case 16:
            return [oid = 20000 + below(3), create = chance(2)](pg::ChangeSink& s) {
                create ? s.tablespace_create(oid, "/somewhere") : s.tablespace_drop(oid);
            };
        case 17:
        case 18: return slru();
        case 19:
            return [xid = 700 + below(4), file = bytes(30), prepare = chance(2)](pg::ChangeSink& s) {
                prepare ? s.two_phase_prepare(xid, file) : s.two_phase_finish(xid);
            };
        case 20:
            return [origin = static_cast<std::uint16_t>(1 + below(3)), remote = Lsn{1 + below(1000)}, drop = chance(4)](
                       pg::ChangeSink& s) { s.replication_origin(origin, drop ? std::nullopt : std::optional(remote)); };
        case 21:
            return [xid = 1000 + below(1000)](pg::ChangeSink& s) {
                pg::Counters counters;
                counters.next_full_xid = xid;
                s.counters(counters);
            };
        default: {
            // Mostly later than the one before.
            const std::int64_t time = commit_time_ += static_cast<std::int64_t>(below(1000)) - 200;
            return [time](pg::ChangeSink& s) { s.commit(time); };
        }
    }
}

Operation OperationMaker::page_edit() {
    std::string edits;
    const auto slot = static_cast<std::uint16_t>(below(1000));
    if (chance(2))
        pg::append_visibility_set(edits, slot, 3);
    else
        pg::append_visibility_clear(edits, slot, 1);
    return [t = map_tag(), grow = chance(2), edits](pg::ChangeSink& s) { s.page_edit(t, grow, edits); };
}

Operation OperationMaker::database(const ModelState& before) {
    const std::uint32_t target = 5 + below(3);
    if (before.databases.contains({1663, target})) return [target](pg::ChangeSink& s) { s.database_drop(1663, target); };
    if (chance(2)) return [target](pg::ChangeSink& s) { s.database_create(1663, target); };
    // Only ever into a directory that is empty, as in Postgres.
    return [target, source = 5 + (target - 4) % 3](pg::ChangeSink& s) {
        s.database_drop(1663, target);
        s.database_copy(1663, source, 1663, target);
    };
}

Operation OperationMaker::slru() {
    const auto slru = chance(2) ? pg::Slru::xact : pg::Slru::multixact_offsets;
    const std::uint32_t page = below(100);
    if (chance(3)) return [slru, page](pg::ChangeSink& s) { s.slru_zero_page(slru, page); };
    std::string edits;
    const std::uint16_t entry = static_cast<std::uint16_t>(below(2000));
    if (slru == pg::Slru::xact)
        pg::append_xact_status(edits, pg::XactStatus::committed, std::span(&entry, 1));
    else
        pg::append_multixact_offset(edits, entry, below(10000));
    return [slru, page, edits](pg::ChangeSink& s) { s.slru_edit(slru, page, edits); };
}

}  // namespace bough::pageserver
