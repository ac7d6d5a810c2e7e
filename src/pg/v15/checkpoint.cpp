#include "pg/v15/checkpoint.hpp"

#include "pg/record_bytes.hpp"
#include "pg/v15/version.hpp"

namespace bough::pg::v15 {

CheckPoint CheckPoint::from_data(const CheckPointData& d) {
    return CheckPoint{
        .redo = Lsn{d.redo},
        .timeline = d.timeline,
        .previous_timeline = d.previous_timeline,
        .full_page_writes = d.full_page_writes != 0,
        .counters = {.next_full_xid = d.next_full_xid,
                     .next_oid = d.next_oid,
                     .next_multi = d.next_multi,
                     .next_multi_offset = d.next_multi_offset,
                     .oldest_xid = d.oldest_xid,
                     .oldest_xid_database = d.oldest_xid_database,
                     .oldest_multi = d.oldest_multi,
                     .oldest_multi_database = d.oldest_multi_database,
                     .oldest_commit_ts_xid = d.oldest_commit_ts_xid,
                     .newest_commit_ts_xid = d.newest_commit_ts_xid},
        .time = d.time,
        .oldest_active_xid = d.oldest_active_xid,
    };
}

CheckPointData CheckPoint::to_data() const {
    CheckPointData d{};
    d.redo = redo.value;
    d.timeline = timeline;
    d.previous_timeline = previous_timeline;
    d.full_page_writes = full_page_writes ? 1 : 0;
    d.next_full_xid = counters.next_full_xid;
    d.next_oid = counters.next_oid;
    d.next_multi = counters.next_multi;
    d.next_multi_offset = counters.next_multi_offset;
    d.oldest_xid = counters.oldest_xid;
    d.oldest_xid_database = counters.oldest_xid_database;
    d.oldest_multi = counters.oldest_multi;
    d.oldest_multi_database = counters.oldest_multi_database;
    d.time = time;
    d.oldest_commit_ts_xid = counters.oldest_commit_ts_xid;
    d.newest_commit_ts_xid = counters.newest_commit_ts_xid;
    d.oldest_active_xid = oldest_active_xid;
    return d;
}

std::string shutdown_checkpoint_record(const CheckPoint& checkpoint, Lsn previous) {
    const CheckPointData data = checkpoint.to_data();
    return make_record(static_cast<std::uint8_t>(ResourceManager::xlog), kXlogCheckpointShutdown, 0, previous,
                       std::as_bytes(std::span(&data, 1)));
}

}  // namespace bough::pg::v15
