// Our own descriptions of Postgres 15's structures against its headers: what does not agree does not compile.
extern "C" {
#define typeof __typeof__
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xlog_internal.h"
#include "access/xlogrecord.h"
#include "catalog/catversion.h"
#include "catalog/pg_control.h"
#undef typeof
}
#undef StaticAssertDecl

#include "pg/v15/control_file_format.hpp"
#include "pg/v15/version.hpp"
#include "pg/wal_format.hpp"

namespace ours = bough::pg;
namespace v15 = bough::pg::v15;

static_assert(PG_VERSION_NUM / 10000 == v15::kMajorVersion);
static_assert(XLOG_PAGE_MAGIC == v15::kWalPageMagic && PG_CONTROL_VERSION == v15::kControlFileVersion &&
              CATALOG_VERSION_NO == v15::kCatalogVersion);
static_assert(RM_MAX_BUILTIN_ID == v15::kResourceManagerMax && RM_MIN_CUSTOM_ID == v15::kCustomResourceManagerMin);
static_assert(SizeOfXLogShortPHD == sizeof(ours::WalPageHeader) && SizeOfXLogLongPHD == sizeof(ours::WalLongPageHeader));
static_assert(offsetof(XLogPageHeaderData, xlp_rem_len) == offsetof(ours::WalPageHeader, remaining_bytes) &&
              offsetof(XLogLongPageHeaderData, xlp_sysid) == offsetof(ours::WalLongPageHeader, system_id));
static_assert(SizeOfXLogRecord == sizeof(ours::WalRecordHeader) &&
              offsetof(XLogRecord, xl_rmid) == offsetof(ours::WalRecordHeader, resource_manager) &&
              offsetof(XLogRecord, xl_prev) == offsetof(ours::WalRecordHeader, previous));
static_assert(BLCKSZ == 8192 && XLOG_BLCKSZ == ours::kWalPageBytes);

#define SAME_CHECKPOINT(theirs, mine) static_assert(offsetof(CheckPoint, theirs) == offsetof(v15::CheckPointData, mine))
static_assert(sizeof(CheckPoint) == sizeof(v15::CheckPointData));
SAME_CHECKPOINT(PrevTimeLineID, previous_timeline);
SAME_CHECKPOINT(fullPageWrites, full_page_writes);
SAME_CHECKPOINT(nextXid, next_full_xid);
SAME_CHECKPOINT(nextMultiOffset, next_multi_offset);
SAME_CHECKPOINT(oldestMultiDB, oldest_multi_database);
SAME_CHECKPOINT(time, time);
SAME_CHECKPOINT(newestCommitTsXid, newest_commit_ts_xid);
SAME_CHECKPOINT(oldestActiveXid, oldest_active_xid);

#define SAME_CONTROL(theirs, mine) static_assert(offsetof(ControlFileData, theirs) == offsetof(v15::ControlFileData, mine))
static_assert(sizeof(ControlFileData) == sizeof(v15::ControlFileData) && PG_CONTROL_FILE_SIZE == v15::kControlFileBytes);
SAME_CONTROL(catalog_version_no, catalog_version);
SAME_CONTROL(state, state);
SAME_CONTROL(checkPoint, checkpoint);
SAME_CONTROL(unloggedLSN, unlogged_lsn);
SAME_CONTROL(minRecoveryPointTLI, min_recovery_point_timeline);
SAME_CONTROL(backupEndRequired, backup_end_required);
SAME_CONTROL(wal_level, wal_level);
SAME_CONTROL(MaxConnections, max_connections);
SAME_CONTROL(max_locks_per_xact, max_locks_per_transaction);
SAME_CONTROL(track_commit_timestamp, track_commit_timestamp);
SAME_CONTROL(floatFormat, float_format);
SAME_CONTROL(xlog_seg_size, wal_segment_bytes);
SAME_CONTROL(float8ByVal, float8_by_value);
SAME_CONTROL(data_checksum_version, data_checksum_version);
SAME_CONTROL(crc, crc);

