#include "pg/slru_layout.hpp"
#include "pg/v15/checkpoint.hpp"
#include "pg/v15/commit_ts_changes.hpp"
#include "pg/v15/control_file_format.hpp"
#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {
namespace {

enum XlogOperation : std::uint8_t {
    kCheckpointShutdown = 0x00,
    kCheckpointOnline = 0x10,
    kNoop = 0x20,
    kNextOid = 0x30,
    kSwitch = 0x40,
    kBackupEnd = 0x50,
    kParameterChange = 0x60,
    kRestorePoint = 0x70,
    kFullPageWritesChange = 0x80,
    kEndOfRecovery = 0x90,
    kImageForHint = 0xA0,
    kImage = 0xB0,
    kOverwriteContrecord = 0xD0,
};

Result<void> extract_checkpoint(Extraction& x) {
    const auto data = x.main_data().take<CheckPointData>();
    if (x.record.main_data().size() < sizeof data) return x.corrupt("too short for a checkpoint");
    const Counters logged = CheckPoint::from_data(data).counters;
    Counters& c = x.counters;
    if (x.record.operation() == kCheckpointShutdown) {
        c = logged;
        return {};
    }
    // What an online checkpoint says is as of its start: counters only move forward, and the next oid comes from its own records.
    if (c.next_full_xid < logged.next_full_xid) c.next_full_xid = logged.next_full_xid;
    if (multi_precedes(c.next_multi, logged.next_multi)) c.next_multi = logged.next_multi;
    if (multi_precedes(c.next_multi_offset, logged.next_multi_offset)) c.next_multi_offset = logged.next_multi_offset;
    if (multi_precedes(c.oldest_multi, logged.oldest_multi)) {
        c.oldest_multi = logged.oldest_multi;
        c.oldest_multi_database = logged.oldest_multi_database;
    }
    if (xid_precedes(c.oldest_xid, logged.oldest_xid)) {
        c.oldest_xid = logged.oldest_xid;
        c.oldest_xid_database = logged.oldest_xid_database;
    }
    return {};
}

Result<void> extract_parameter_change(Extraction& x) {
    ByteReader data = x.main_data();
    Parameters p;
    p.max_connections = data.take<std::int32_t>();
    p.max_worker_processes = data.take<std::int32_t>();
    p.max_wal_senders = data.take<std::int32_t>();
    p.max_prepared_transactions = data.take<std::int32_t>();
    p.max_locks_per_transaction = data.take<std::int32_t>();
    p.wal_level = data.take<std::int32_t>();
    p.wal_log_hints = data.take<std::uint8_t>() != 0;
    p.track_commit_timestamp = data.take<std::uint8_t>() != 0;
    if (data.failed()) return x.corrupt("too short for a parameter change");
    if (p.track_commit_timestamp != x.parameters.track_commit_timestamp) {
        if (p.track_commit_timestamp)
            activate_commit_ts(x);
        else
            deactivate_commit_ts(x);
    }
    x.parameters = p;
    return {};
}

Result<void> extract_images(Extraction& x) {
    for (const BlockReference& block : x.record.blocks()) {
        if (block.has_image)
            BOUGH_TRY(extract_block_image(x, block));
        else if (x.record.operation() == kImage)
            return x.corrupt("a page image record without a page image");
    }
    return {};
}

}  // namespace

Result<void> extract_xlog(Extraction& x) {
    switch (x.record.operation()) {
        case kCheckpointShutdown:
        case kCheckpointOnline: return extract_checkpoint(x);
        case kNextOid: {
            ByteReader data = x.main_data();
            x.counters.next_oid = data.take<std::uint32_t>();
            if (data.failed()) return x.corrupt("too short for an oid");
            return {};
        }
        case kParameterChange: return extract_parameter_change(x);
        case kImage:
        case kImageForHint: return extract_images(x);
        case kNoop:
        case kSwitch:
        case kBackupEnd:
        case kRestorePoint:
        case kFullPageWritesChange:
        case kEndOfRecovery:
        case kOverwriteContrecord: return {};
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
