/* The storage manager of redo mode. */
#include "postgres.h"

#include "redo_smgr.h"
#include "smgr_table.h"

#include "storage/bufpage.h"
#include "storage/smgr.h"

/* More than the relations one database's busy period touches, few enough that a full table is small. */
#define OPEN_RELATIONS_MAX 1024

static BufferTag target;
static PGAlignedBlock target_page;
static PGAlignedBlock foreign_page;
static int open_relations;

static inline bool
is_target(SMgrRelation relation, ForkNumber fork, BlockNumber block)
{
	return block == target.blockNum && fork == target.forkNum &&
		   RelFileNodeEquals(relation->smgr_rnode.node, target.rnode);
}

static void
redo_smgr_init(void)
{
}

static void
redo_smgr_open(SMgrRelation relation)
{
	(void) relation;
	open_relations++;
}

static void
redo_smgr_close(SMgrRelation relation, ForkNumber fork)
{
	(void) relation;
	(void) fork;
}

static void
redo_smgr_create(SMgrRelation relation, ForkNumber fork, bool is_redo)
{
	(void) relation;
	(void) fork;
	(void) is_redo;
}

static bool
redo_smgr_exists(SMgrRelation relation, ForkNumber fork)
{
	(void) relation;
	(void) fork;
	return true;
}

static void
redo_smgr_unlink(RelFileNodeBackend relation, ForkNumber fork, bool is_redo)
{
	(void) relation;
	(void) fork;
	(void) is_redo;
}

static bool
redo_smgr_prefetch(SMgrRelation relation, ForkNumber fork, BlockNumber block)
{
	(void) relation;
	(void) fork;
	(void) block;
	return true;
}

static void
redo_smgr_read(SMgrRelation relation, ForkNumber fork, BlockNumber block, char *buffer)
{
	memcpy(buffer, is_target(relation, fork, block) ? target_page.data : foreign_page.data, BLCKSZ);
}

static void
redo_smgr_write(SMgrRelation relation, ForkNumber fork, BlockNumber block, char *buffer, bool skip_fsync)
{
	(void) skip_fsync;
	if (is_target(relation, fork, block))
		memcpy(target_page.data, buffer, BLCKSZ);
}

static void
redo_smgr_writeback(SMgrRelation relation, ForkNumber fork, BlockNumber block, BlockNumber count)
{
	(void) relation;
	(void) fork;
	(void) block;
	(void) count;
}

/* Every block exists. The value is also Postgres's "length not known", so it is asked each time and never remembered. */
static BlockNumber
redo_smgr_nblocks(SMgrRelation relation, ForkNumber fork)
{
	(void) relation;
	(void) fork;
	return InvalidBlockNumber;
}

static void
redo_smgr_truncate(SMgrRelation relation, ForkNumber fork, BlockNumber old_blocks, BlockNumber blocks)
{
	(void) relation;
	(void) fork;
	(void) old_blocks;
	(void) blocks;
}

static void
redo_smgr_immedsync(SMgrRelation relation, ForkNumber fork)
{
	(void) relation;
	(void) fork;
}

void
bough_redo_smgr_install(void)
{
	const char *error = NULL;
	BoughSmgr manager = {
		.smgr_init = redo_smgr_init,
		.smgr_open = redo_smgr_open,
		.smgr_close = redo_smgr_close,
		.smgr_create = redo_smgr_create,
		.smgr_exists = redo_smgr_exists,
		.smgr_unlink = redo_smgr_unlink,
		.smgr_extend = redo_smgr_write,
		.smgr_prefetch = redo_smgr_prefetch,
		.smgr_read = redo_smgr_read,
		.smgr_write = redo_smgr_write,
		.smgr_writeback = redo_smgr_writeback,
		.smgr_nblocks = redo_smgr_nblocks,
		.smgr_truncate = redo_smgr_truncate,
		.smgr_immedsync = redo_smgr_immedsync,
	};

	PageInit((Page) foreign_page.data, BLCKSZ, 0);
	PageSetLSN((Page) foreign_page.data, BOUGH_REDO_LSN_MAX);
	if (!bough_smgr_table_replace(&manager, &error))
		ereport(FATAL, (errmsg("could not replace the storage manager: %s", error)));
}

void
bough_redo_smgr_set_target(const BufferTag *tag)
{
	target = *tag;
}

const char *
bough_redo_smgr_foreign_page(void)
{
	return foreign_page.data;
}

void
bough_redo_smgr_trim(void)
{
	if (open_relations > OPEN_RELATIONS_MAX)
	{
		smgrcloseall();
		open_relations = 0;
	}
}
