#include "postgres.h"

#include "overlay.h"

#include "back_pressure.h"
#include "base_block.h"
#include "fetch.h"
#include "local_file.h"
#include "smgr_table.h"
#include "statistics.h"

#include "miscadmin.h"
#include "storage/md.h"
#include "utils/guc.h"

const BoughManifestEntry *
bough_overlay_entry(BoughRelFileBackend relation, ForkNumber fork)
{
	const BoughManifestEntry *entry;

	if (RelFileNodeBackendIsTemp(relation))
		return NULL;
	entry = bough_manifest_find(relation.node, fork);
	if (entry == NULL || bough_presence_file_state(entry) == BOUGH_FILE_DROPPED)
		return NULL;
	return entry;
}

/* The same, with the fork's local files there. */
static const BoughManifestEntry *
entry_with_file(SMgrRelation relation, ForkNumber fork)
{
	const BoughManifestEntry *entry = bough_overlay_entry(relation->smgr_rnode, fork);

	if (entry != NULL)
		bough_local_file_need(entry);
	return entry;
}

/* A fork of the base exists: md then says so in its own words. */
static void
overlay_create(SMgrRelation relation, ForkNumber fork, bool is_redo)
{
	(void) entry_with_file(relation, fork);
	mdcreate(relation, fork, is_redo);
}

static bool
overlay_exists(SMgrRelation relation, ForkNumber fork)
{
	(void) entry_with_file(relation, fork);
	return mdexists(relation, fork);
}

static void
overlay_unlink(BoughRelFileBackend relation, ForkNumber fork, bool is_redo)
{
	ForkNumber	first = fork == InvalidForkNumber ? MAIN_FORKNUM : fork;
	ForkNumber	last = fork == InvalidForkNumber ? MAX_FORKNUM : fork;

	for (ForkNumber each = first; each <= last; each++)
	{
		const BoughManifestEntry *entry = bough_overlay_entry(relation, each);

		if (entry != NULL)
			bough_local_file_drop(entry, each == MAIN_FORKNUM && !is_redo && !IsBinaryUpgrade);
	}
	mdunlink(relation, fork, is_redo);
}

static void
overlay_extend(SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page, bool skip_fsync)
{
	const BoughManifestEntry *entry;
	LWLock	   *lock;

	bough_back_pressure();
	entry = entry_with_file(relation, fork);
	lock = entry == NULL ? NULL : bough_base_block_begin_write(entry, block);
	mdextend(relation, fork, block, page, skip_fsync);
	bough_base_block_end_write(lock, entry, block);
}

static void
overlay_write(SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page, bool skip_fsync)
{
	const BoughManifestEntry *entry;
	LWLock	   *lock;

	bough_back_pressure();
	entry = entry_with_file(relation, fork);
	lock = entry == NULL ? NULL : bough_base_block_begin_write(entry, block);
	mdwrite(relation, fork, block, page, skip_fsync);
	bough_base_block_end_write(lock, entry, block);
}

static bool
overlay_prefetch(SMgrRelation relation, ForkNumber fork, BlockNumber block)
{
	const BoughManifestEntry *entry = entry_with_file(relation, fork);

	if (entry == NULL || block >= entry->blocks || bough_presence_is_complete(entry) || bough_presence_has(entry, block))
		return mdprefetch(relation, fork, block);
	bough_fetch_soon(entry, block);
	return true;
}

static void
overlay_read(SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page)
{
	const BoughManifestEntry *entry;
	BoughPass  *pass;

	bough_back_pressure();
	entry = entry_with_file(relation, fork);
	if (entry == NULL || block >= entry->blocks || bough_presence_is_complete(entry))
	{
		mdread(relation, fork, block, page);
		return;
	}
	pass = bough_readahead_note(entry, block, false);
	if (block < pass->requested_until)
		bough_count(BOUGH_COUNT_READAHEAD_HITS, 1);
	bough_fetch_ahead(pass);
	if (bough_presence_has(entry, block))
		mdread(relation, fork, block, page);
	else
		bough_fetch_block(relation, pass, block, page);
}

static BlockNumber
overlay_nblocks(SMgrRelation relation, ForkNumber fork)
{
	(void) entry_with_file(relation, fork);
	return mdnblocks(relation, fork);
}

/*
 * The blocks are given up before they are cut off. Once they are, md has to succeed: were the file to keep its length, they would
 * read as zeros. (Newer minors call this in a critical section anyway.)
 */
static void
truncate_fork(SMgrRelation relation, ForkNumber fork, BlockNumber old_length, BlockNumber length)
{
	const BoughManifestEntry *entry = entry_with_file(relation, fork);

	/* Blocks beyond the file's end were given up when they were cut off. md judges a length that is none. */
	if (entry == NULL || length >= old_length || length >= entry->blocks || bough_presence_is_complete(entry))
	{
		bough_pg_mdtruncate(relation, fork, old_length, length);
		return;
	}
	START_CRIT_SECTION();
	bough_base_block_discard(entry, length);
	bough_pg_mdtruncate(relation, fork, old_length, length);
	END_CRIT_SECTION();
}

static void
overlay_truncate(SMgrRelation relation, ForkNumber fork, BlockNumber first, BlockNumber second)
{
	if (bough_pg_truncate_has_old_length())
		truncate_fork(relation, fork, first, second);
	else
		truncate_fork(relation, fork, overlay_nblocks(relation, fork), first);
}

static void
overlay_immedsync(SMgrRelation relation, ForkNumber fork)
{
	(void) entry_with_file(relation, fork);
	mdimmedsync(relation, fork);
}

void
bough_overlay_install(void)
{
	BoughSmgr	overlay;
	const char *error;

	bough_smgr_table_md(&overlay);
	overlay.smgr_create = overlay_create;
	overlay.smgr_exists = overlay_exists;
	overlay.smgr_unlink = overlay_unlink;
	overlay.smgr_extend = overlay_extend;
	overlay.smgr_prefetch = overlay_prefetch;
	overlay.smgr_read = overlay_read;
	overlay.smgr_write = overlay_write;
	overlay.smgr_nblocks = overlay_nblocks;
	overlay.smgr_truncate = overlay_truncate;
	overlay.smgr_immedsync = overlay_immedsync;
	if (!bough_smgr_table_replace(&overlay, &error))
		ereport(FATAL,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not take over the storage manager: %s", error),
				 errdetail("The server is Postgres %s, the library was built for %s.",
						   GetConfigOptionByName("server_version", NULL, false), PG_VERSION)));
}
