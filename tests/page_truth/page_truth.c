/*
 * What page comparisons need of a stock Postgres server, from inside it.
 *
 * In a standby: LOAD of this library writes every dirty buffer to its file, so that the files are the state of the replay
 * position. (A restartpoint would do so only after a checkpoint record.)
 * In an ordinary server: page_mask(resource manager, block, page) is the page as Postgres's own comparison leaves it
 * (wal_consistency_checking's rm_mask): without hint bits, unused space and whatever else replay need not reproduce.
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

PG_FUNCTION_INFO_V1(page_mask);

void
_PG_init(void)
{
	if (RecoveryInProgress())
		CheckPointBuffers(CHECKPOINT_FLUSH_ALL | CHECKPOINT_IMMEDIATE);
}

Datum
page_mask(PG_FUNCTION_ARGS)
{
	int32		resource_manager = PG_GETARG_INT32(0);
	int64		block = PG_GETARG_INT64(1);
	bytea	   *given = PG_GETARG_BYTEA_PP(2);
	bytea	   *masked;
	char	   *page = palloc(BLCKSZ); /* aligned, as the masks expect */

	if (VARSIZE_ANY_EXHDR(given) != BLCKSZ)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a page has %d bytes", BLCKSZ)));
	if (resource_manager < 0 || resource_manager > RM_MAX_BUILTIN_ID || RmgrTable[resource_manager].rm_mask == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("resource manager %d has no mask", resource_manager)));
	memcpy(page, VARDATA_ANY(given), BLCKSZ);
	RmgrTable[resource_manager].rm_mask(page, (BlockNumber) block);
	masked = (bytea *) palloc(BLCKSZ + VARHDRSZ);
	SET_VARSIZE(masked, BLCKSZ + VARHDRSZ);
	memcpy(VARDATA(masked), page, BLCKSZ);
	PG_RETURN_BYTEA_P(masked);
}
