// Our own descriptions of Postgres 15's structures against its headers: what does not agree does not compile.
extern "C" {
#define typeof __typeof__
#include "postgres.h"

#include "access/clog.h"
#include "access/heapam_xlog.h"
#include "access/htup_details.h"
#include "access/itup.h"
#include "access/multixact.h"
#include "access/nbtree.h"
#include "access/nbtxlog.h"
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
#include "pg/item_page.hpp"
#include "pg/page_header.hpp"
#include "pg/slru_layout.hpp"
#include "pg/v15/btree_format.hpp"
#include "pg/v15/control_file_format.hpp"
#include "pg/v15/heap_format.hpp"
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
static_assert((v15::kInfoHintBitsLogged & (XLR_SPECIAL_REL_UPDATE | XLR_CHECK_CONSISTENCY | XLR_RMGR_INFO_MASK)) == 0);
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

// Pages and tuples, where redo changes them.
static_assert(PD_HAS_FREE_LINES == ours::kPageHasFreeLines && PD_PAGE_FULL == ours::kPageFull &&
              PD_ALL_VISIBLE == ours::kPageAllVisible && sizeof(ItemIdData) == ours::ItemPage::kLineBytes);
static_assert(LP_UNUSED == 0 && LP_NORMAL == 1 && LP_REDIRECT == 2 && LP_DEAD == 3);
static_assert(SizeofHeapTupleHeader == sizeof(v15::HeapTupleHeader) &&
              offsetof(HeapTupleHeaderData, t_ctid) == offsetof(v15::HeapTupleHeader, next_block_high) &&
              offsetof(HeapTupleHeaderData, t_infomask2) == offsetof(v15::HeapTupleHeader, infomask2) &&
              offsetof(HeapTupleHeaderData, t_infomask) == offsetof(v15::HeapTupleHeader, infomask) &&
              offsetof(HeapTupleHeaderData, t_hoff) == offsetof(v15::HeapTupleHeader, data_offset));
static_assert(HEAP_XMAX_KEYSHR_LOCK == v15::kXmaxKeyShareLock && HEAP_COMBOCID == v15::kComboCommand &&
              HEAP_XMAX_EXCL_LOCK == v15::kXmaxExclusiveLock && HEAP_XMAX_LOCK_ONLY == v15::kXmaxLockOnly &&
              HEAP_XMAX_IS_MULTI == v15::kXmaxIsMulti && HEAP_XMAX_BITS == v15::kXmaxBits && HEAP_MOVED == v15::kMoved &&
              HEAP_LOCK_MASK == v15::kLockMask && HEAP_KEYS_UPDATED == v15::kKeysUpdated && HEAP_HOT_UPDATED == v15::kHotUpdated);
static_assert(MovedPartitionsBlockNumber == v15::kMovedPartitionsBlock &&
              MovedPartitionsOffsetNumber == v15::kMovedPartitionsItem);
static_assert(MaxHeapTuplesPerPage == v15::kHeapItemsMax && MaxHeapTupleSize == v15::kHeapTupleBytesMax);

static_assert(XLOG_HEAP_OPMASK == v15::kHeapOperationMask && XLOG_HEAP_INIT_PAGE == v15::kHeapInitPage &&
              XLOG_HEAP_INSERT == v15::kHeapInsert && XLOG_HEAP_DELETE == v15::kHeapDelete &&
              XLOG_HEAP_UPDATE == v15::kHeapUpdate && XLOG_HEAP_HOT_UPDATE == v15::kHeapHotUpdate &&
              XLOG_HEAP_CONFIRM == v15::kHeapConfirm && XLOG_HEAP_LOCK == v15::kHeapLock &&
              XLOG_HEAP_INPLACE == v15::kHeapInplace);
static_assert(XLOG_HEAP2_PRUNE == v15::kHeap2Prune && XLOG_HEAP2_VACUUM == v15::kHeap2Vacuum &&
              XLOG_HEAP2_FREEZE_PAGE == v15::kHeap2FreezePage && XLOG_HEAP2_VISIBLE == v15::kHeap2Visible &&
              XLOG_HEAP2_MULTI_INSERT == v15::kHeap2MultiInsert && XLOG_HEAP2_LOCK_UPDATED == v15::kHeap2LockUpdated);
static_assert(XLHL_XMAX_IS_MULTI == v15::kInfoXmaxIsMulti && XLHL_XMAX_LOCK_ONLY == v15::kInfoXmaxLockOnly &&
              XLHL_XMAX_EXCL_LOCK == v15::kInfoXmaxExclusiveLock && XLHL_XMAX_KEYSHR_LOCK == v15::kInfoXmaxKeyShareLock &&
              XLHL_KEYS_UPDATED == v15::kInfoKeysUpdated);
static_assert(XLH_INSERT_ALL_VISIBLE_CLEARED == v15::kInsertAllVisibleCleared &&
              XLH_INSERT_ALL_FROZEN_SET == v15::kInsertAllFrozenSet &&
              XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED == v15::kUpdateOldAllVisibleCleared &&
              XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED == v15::kUpdateNewAllVisibleCleared &&
              XLH_UPDATE_PREFIX_FROM_OLD == v15::kUpdatePrefixFromOld &&
              XLH_UPDATE_SUFFIX_FROM_OLD == v15::kUpdateSuffixFromOld &&
              XLH_DELETE_ALL_VISIBLE_CLEARED == v15::kDeleteAllVisibleCleared && XLH_DELETE_IS_SUPER == v15::kDeleteIsSuper &&
              XLH_DELETE_IS_PARTITION_MOVE == v15::kDeleteIsPartitionMove &&
              (XLH_FREEZE_XVAC | XLH_INVALID_XVAC) == v15::kFreezeXvac);
static_assert(SizeOfHeapInsert == sizeof(v15::HeapInsert) && SizeOfHeapDelete == sizeof(v15::HeapDelete) &&
              offsetof(xl_heap_delete, infobits_set) == offsetof(v15::HeapDelete, infobits) &&
              SizeOfHeapUpdate == sizeof(v15::HeapUpdate) &&
              offsetof(xl_heap_update, old_offnum) == offsetof(v15::HeapUpdate, old_item) &&
              offsetof(xl_heap_update, old_infobits_set) == offsetof(v15::HeapUpdate, old_infobits) &&
              offsetof(xl_heap_update, new_xmax) == offsetof(v15::HeapUpdate, new_xmax) &&
              offsetof(xl_heap_update, new_offnum) == offsetof(v15::HeapUpdate, new_item));
static_assert(SizeOfHeapLock == sizeof(v15::HeapLock) &&
              offsetof(xl_heap_lock, infobits_set) == offsetof(v15::HeapLock, infobits) &&
              SizeOfHeapLockUpdated == sizeof(v15::HeapLock) &&
              offsetof(xl_heap_lock_updated, infobits_set) == offsetof(v15::HeapLock, infobits));
static_assert(SizeOfHeapConfirm == sizeof(v15::HeapItem) && SizeOfHeapInplace == sizeof(v15::HeapItem) &&
              SizeOfHeapHeader == sizeof(v15::HeapTupleStart) &&
              offsetof(xl_heap_header, t_infomask) == offsetof(v15::HeapTupleStart, infomask) &&
              SizeOfMultiInsertTuple == 2 + sizeof(v15::HeapTupleStart) && SizeOfHeapMultiInsert == sizeof(v15::HeapMultiInsert));
static_assert(SizeOfHeapPrune == sizeof(v15::HeapPrune) && offsetof(xl_heap_prune, ndead) == offsetof(v15::HeapPrune, dead) &&
              SizeOfHeapVacuum == sizeof(v15::HeapVacuum) && SizeOfHeapFreezePage == sizeof(v15::HeapFreezePage) &&
              sizeof(xl_heap_freeze_tuple) == sizeof(v15::HeapFreezeTuple) &&
              offsetof(xl_heap_freeze_tuple, t_infomask2) == offsetof(v15::HeapFreezeTuple, infomask2) &&
              offsetof(xl_heap_freeze_tuple, frzflags) == offsetof(v15::HeapFreezeTuple, flags) &&
              SizeOfHeapVisible == sizeof(v15::HeapVisible));

static_assert(sizeof(BTPageOpaqueData) == sizeof(v15::BtreeSpecial) &&
              offsetof(BTPageOpaqueData, btpo_level) == offsetof(v15::BtreeSpecial, level) &&
              offsetof(BTPageOpaqueData, btpo_flags) == offsetof(v15::BtreeSpecial, flags) && P_NONE == v15::kBtreeNoBlock);
static_assert(BTP_LEAF == v15::kBtreeLeaf && BTP_ROOT == v15::kBtreeRoot && BTP_META == v15::kBtreeMeta &&
              BTP_HAS_GARBAGE == v15::kBtreeHasGarbage && BTP_INCOMPLETE_SPLIT == v15::kBtreeIncompleteSplit);
static_assert(sizeof(BTMetaPageData) == sizeof(v15::BtreeMeta) && BTREE_MAGIC == v15::kBtreeMagic &&
              BTREE_NOVAC_VERSION == v15::kBtreeVersionMin &&
              offsetof(BTMetaPageData, btm_last_cleanup_num_delpages) == offsetof(v15::BtreeMeta, last_cleanup_deleted_pages) &&
              offsetof(BTMetaPageData, btm_last_cleanup_num_heap_tuples) == offsetof(v15::BtreeMeta, last_cleanup_heap_tuples) &&
              offsetof(BTMetaPageData, btm_allequalimage) == offsetof(v15::BtreeMeta, all_equal_image));
static_assert(sizeof(IndexTupleData) == sizeof(v15::IndexTuple) && sizeof(ItemPointerData) == sizeof(v15::RowId) &&
              INDEX_SIZE_MASK == v15::kIndexSizeMask && INDEX_ALT_TID_MASK == v15::kIndexAlternativeRow &&
              BT_OFFSET_MASK == v15::kBtreeCountMask && BT_IS_POSTING == v15::kBtreeIsPosting && P_HIKEY == v15::kBtreeHighKey);
static_assert(MAXALIGN_DOWN((BLCKSZ - MAXALIGN(SizeOfPageHeaderData + 3 * sizeof(ItemIdData) + 3 * sizeof(ItemPointerData)) -
                             MAXALIGN(sizeof(BTPageOpaqueData))) /
                            3) == v15::kBtreeItemBytesMax);
static_assert(XLOG_BTREE_INSERT_LEAF == v15::kBtreeInsertLeaf && XLOG_BTREE_INSERT_UPPER == v15::kBtreeInsertUpper &&
              XLOG_BTREE_INSERT_META == v15::kBtreeInsertMeta && XLOG_BTREE_SPLIT_L == v15::kBtreeSplitLeft &&
              XLOG_BTREE_SPLIT_R == v15::kBtreeSplitRight && XLOG_BTREE_INSERT_POST == v15::kBtreeInsertPosting &&
              XLOG_BTREE_DEDUP == v15::kBtreeDedup && XLOG_BTREE_DELETE == v15::kBtreeDelete &&
              XLOG_BTREE_NEWROOT == v15::kBtreeNewRoot && XLOG_BTREE_VACUUM == v15::kBtreeVacuum &&
              XLOG_BTREE_META_CLEANUP == v15::kBtreeMetaCleanup);
static_assert(SizeOfBtreeInsert == sizeof(v15::BtreeInsert) && SizeOfBtreeSplit == sizeof(v15::BtreeSplit) &&
              SizeOfBtreeDedup == sizeof(v15::BtreeDedup) && sizeof(BTDedupInterval) == sizeof(v15::BtreeDedupInterval) &&
              SizeOfBtreeDelete == sizeof(v15::BtreeDelete) && SizeOfBtreeVacuum == sizeof(v15::BtreeVacuum) &&
              SizeOfBtreeUpdate == 2 && SizeOfBtreeNewroot == sizeof(v15::BtreeNewRoot) &&
              sizeof(xl_btree_metadata) == sizeof(v15::BtreeMetaRecord) &&
              offsetof(xl_btree_metadata, allequalimage) == offsetof(v15::BtreeMetaRecord, all_equal_image));
