/*
 * Finding and replacing Postgres's storage manager table.
 *
 * smgr.c keeps a private constant table of function pointers, but the md functions it points to are exported, so the table can be
 * recognised: it is the one place in the executable that holds exactly that sequence. Used by the overlay and by redo mode.
 */
#ifndef BOUGH_SMGR_TABLE_H
#define BOUGH_SMGR_TABLE_H

#include "pg_compat.h"

/* The layout of smgr.c's f_smgr in Postgres 15. */
typedef struct BoughSmgr
{
	void		(*smgr_init) (void);
	void		(*smgr_shutdown) (void);	/* may be NULL */
	void		(*smgr_open) (SMgrRelation relation);
	void		(*smgr_close) (SMgrRelation relation, ForkNumber fork);
	void		(*smgr_create) (SMgrRelation relation, ForkNumber fork, bool is_redo);
	bool		(*smgr_exists) (SMgrRelation relation, ForkNumber fork);
	void		(*smgr_unlink) (BoughRelFileBackend relation, ForkNumber fork, bool is_redo);
	void		(*smgr_extend) (SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page, bool skip_fsync);
	bool		(*smgr_prefetch) (SMgrRelation relation, ForkNumber fork, BlockNumber block);
	void		(*smgr_read) (SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page);
	void		(*smgr_write) (SMgrRelation relation, ForkNumber fork, BlockNumber block, char *page, bool skip_fsync);
	void		(*smgr_writeback) (SMgrRelation relation, ForkNumber fork, BlockNumber block, BlockNumber count);
	BlockNumber (*smgr_nblocks) (SMgrRelation relation, ForkNumber fork);

	/*
	 * Older minors call this with three arguments, (relation, fork, length): then `second` is undefined. Ask
	 * bough_pg_truncate_has_old_length(). Newer ones call it with (relation, fork, old length, length).
	 */
	void		(*smgr_truncate) (SMgrRelation relation, ForkNumber fork, BlockNumber first, BlockNumber second);
	void		(*smgr_immedsync) (SMgrRelation relation, ForkNumber fork);
} BoughSmgr;

#define BOUGH_SMGR_ENTRIES 15

StaticAssertDecl(sizeof(BoughSmgr) == BOUGH_SMGR_ENTRIES * sizeof(void *), "the storage manager table has 15 entries");

/* A copy of Postgres's own table: every entry md's. */
extern void bough_smgr_table_md(BoughSmgr *table);

/*
 * Puts `replacement` in the place of md in this process and those it forks. Call once, before the first smgropen() of the process,
 * so from _PG_init() of a preloaded library. Returns false, with a text in *error that names the reason, and nothing changed, if
 * the table is not found exactly once or cannot be written.
 */
extern bool bough_smgr_table_replace(const BoughSmgr *replacement, const char **error);

#endif
