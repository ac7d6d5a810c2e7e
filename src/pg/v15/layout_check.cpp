// Our own descriptions of Postgres 15's structures against its headers: what does not agree does not compile.
extern "C" {
#define typeof __typeof__
#include "postgres.h"

#include "access/clog.h"
#include "access/heapam_xlog.h"
#include "access/multixact.h"
#include "access/rmgr.h"
#include "access/twophase.h"
#include "access/visibilitymapdefs.h"
#include "access/xact.h"
#include "access/xlog_internal.h"
#include "access/xlogrecord.h"
#include "catalog/catversion.h"
#include "catalog/pg_control.h"
#include "catalog/storage_xlog.h"
#include "storage/bufpage.h"
#include "storage/fsm_internals.h"
#include "storage/standbydefs.h"
#undef typeof
}
#undef Max
#undef Min

#include "pg/free_space_map.hpp"
#include "pg/page_header.hpp"
#include "pg/slru_layout.hpp"
#include "pg/v15/control_file_format.hpp"
#include "pg/v15/record_format.hpp"
#include "pg/v15/version.hpp"
#include "pg/visibility_map.hpp"
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

static_assert(XLR_MAX_BLOCK_ID == v15::kPartBlockMax && XLR_BLOCK_ID_DATA_SHORT == v15::kPartDataShort &&
              XLR_BLOCK_ID_DATA_LONG == v15::kPartDataLong && XLR_BLOCK_ID_ORIGIN == v15::kPartOrigin &&
              XLR_BLOCK_ID_TOPLEVEL_XID == v15::kPartToplevelXid);
static_assert(BKPBLOCK_FORK_MASK == v15::kBlockForkMask && BKPBLOCK_HAS_IMAGE == v15::kBlockHasImage &&
              BKPBLOCK_HAS_DATA == v15::kBlockHasData && BKPBLOCK_WILL_INIT == v15::kBlockWillInit &&
              BKPBLOCK_SAME_REL == v15::kBlockSameRelation);
static_assert(BKPIMAGE_HAS_HOLE == v15::kImageHasHole && BKPIMAGE_APPLY == v15::kImageApply &&
              BKPIMAGE_COMPRESS_PGLZ == v15::kImagePglz && BKPIMAGE_COMPRESS_LZ4 == v15::kImageLz4 &&
              BKPIMAGE_COMPRESS_ZSTD == v15::kImageZstd);

static_assert(SizeOfPageHeaderData == sizeof(ours::PageHeader) &&
              offsetof(PageHeaderData, pd_upper) == offsetof(ours::PageHeader, upper) &&
              offsetof(PageHeaderData, pd_prune_xid) == offsetof(ours::PageHeader, prune_xid) && PG_PAGE_LAYOUT_VERSION == 4);
static_assert(SlotsPerFSMPage == ours::kFreeSpaceSlots && NonLeafNodesPerPage == ours::kFreeSpaceInnerNodes);
static_assert(VISIBILITYMAP_ALL_VISIBLE == ours::kAllVisible && VISIBILITYMAP_ALL_FROZEN == ours::kAllFrozen);
static_assert(FirstNormalTransactionId == ours::kFirstNormalXid && FirstMultiXactId == ours::kFirstMultiXact);
static_assert(TRANSACTION_STATUS_COMMITTED == 1 && TRANSACTION_STATUS_ABORTED == 2 && TRANSACTION_STATUS_SUB_COMMITTED == 3);

// Records, where the extraction reads fields by offset.
static_assert(offsetof(xl_heap_insert, flags) == 2 && offsetof(xl_heap_delete, flags) == 7 &&
              offsetof(xl_heap_update, flags) == 7 && offsetof(xl_heap_lock, flags) == 7 &&
              offsetof(xl_heap_lock_updated, flags) == 7 && offsetof(xl_heap_multi_insert, flags) == 0 &&
              offsetof(xl_heap_visible, flags) == 4);
static_assert(offsetof(xl_smgr_truncate, rnode) == 4 && offsetof(xl_smgr_truncate, flags) == 16 &&
              offsetof(xl_smgr_create, forkNum) == 12);
static_assert(offsetof(xl_multixact_create, members) == 12 && sizeof(MultiXactMember) == 8);
static_assert(sizeof(xl_xact_prepare) == 72 && offsetof(xl_xact_prepare, nsubxacts) == 28 &&
              offsetof(xl_xact_prepare, gidlen) == 54 && offsetof(xl_xact_prepare, origin_lsn) == 56);
static_assert(sizeof(SharedInvalidationMessage) == 16 && sizeof(xl_xact_stats_item) == 12 && sizeof(xl_xact_dbinfo) == 8);
static_assert(offsetof(xl_running_xacts, nextXid) == 12);
static_assert(offsetof(xl_parameter_change, wal_level) == 20 && offsetof(xl_parameter_change, track_commit_timestamp) == 25);
