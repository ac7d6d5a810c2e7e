#include <vector>

#include "base/crc32c.hpp"
#include "pg/v15/commit_ts_changes.hpp"
#include "pg/v15/slru_changes.hpp"
#include "pg/v15/xact_record.hpp"

namespace bough::pg::v15 {
namespace {

enum XactOperation : std::uint8_t {
    kCommit = 0x00,
    kPrepare = 0x10,
    kAbort = 0x20,
    kCommitPrepared = 0x30,
    kAbortPrepared = 0x40,
    kAssignment = 0x50,
    kInvalidations = 0x60,
};
constexpr std::uint8_t kOperationMask = 0x70;

// The origin of changes that are replicated without keeping track of progress.
constexpr std::uint16_t kOriginUntracked = 0xFFFF;

void advance_origin(Extraction& x, Lsn remote) {
    if (x.record.origin() != 0 && x.record.origin() != kOriginUntracked) x.sink.replication_origin(x.record.origin(), remote);
}

void set_status(Extraction& x, std::span<const std::uint32_t> xids, XactStatus status) {
    std::vector<std::uint16_t> entries;
    for_pages_of(Slru::xact, xids, entries, [&](std::uint32_t page, std::span<const std::uint16_t> on_page) {
        x.buffer.clear();
        append_xact_status(x.buffer, status, on_page);
        x.sink.slru_edit(Slru::xact, page, x.buffer);
    });
}

// Commit and abort, of prepared transactions too.
Result<void> extract_completion(Extraction& x, bool commit, bool prepared) {
    BOUGH_ASSIGN(const XactCompletion done, XactCompletion::parse(x.record, commit, prepared));
    for (const std::uint32_t xid : done.xids) x.see_xid(xid);
    if (commit) {
        set_commit_ts(x, done.xids, done.origin ? done.origin->time : done.time, x.record.origin());
        x.sink.commit(done.time);
    }
    set_status(x, done.xids, commit ? XactStatus::committed : XactStatus::aborted);
    if (done.origin) advance_origin(x, done.origin->lsn);
    for (const Relation& relation : done.dropped) x.sink.relation_drop(relation);
    if (prepared) x.sink.two_phase_finish(done.xids.front());
    return {};
}

Result<void> extract_prepare(Extraction& x) {
    BOUGH_ASSIGN(const XactPrepare prepare, XactPrepare::parse(x.record));
    x.see_xid(prepare.xid);
    for (const std::uint32_t xid : prepare.subxids) x.see_xid(xid);
    // The state file is the record's data and a checksum.
    x.buffer.assign(as_text(x.record.main_data()));
    append(x.buffer, crc32c(x.record.main_data()));
    x.sink.two_phase_prepare(prepare.xid, x.buffer);
    advance_origin(x, prepare.origin_lsn);
    return {};
}

Result<void> extract_assignment(Extraction& x) {
    ByteReader data = x.main_data();
    x.see_xid(data.take<std::uint32_t>());
    const auto count = data.take<std::int32_t>();
    if (data.failed() || count < 0 || static_cast<std::uint64_t>(count) * 4 > data.left())
        return x.corrupt("too short for its subtransactions");
    for (std::int32_t i = 0; i < count; ++i) x.see_xid(data.take<std::uint32_t>());
    return {};
}

}  // namespace

Result<void> extract_xact(Extraction& x) {
    switch (x.record.info() & kOperationMask) {
        case kCommit: return extract_completion(x, true, false);
        case kAbort: return extract_completion(x, false, false);
        case kCommitPrepared: return extract_completion(x, true, true);
        case kAbortPrepared: return extract_completion(x, false, true);
        case kPrepare: return extract_prepare(x);
        case kAssignment: return extract_assignment(x);
        case kInvalidations: return {};
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
