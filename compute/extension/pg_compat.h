/*
 * Everything in the extension that depends on which Postgres it runs in.
 *
 * The library is compiled against the headers of one minor version and loaded by another: what changed between minors is asked of
 * the running executable, never of the headers.
 */
#ifndef BOUGH_PG_COMPAT_H
#define BOUGH_PG_COMPAT_H

#include "postgres.h"

#include "storage/smgr.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 160000
#error "this version of Postgres is not known to the extension yet"
#endif

typedef RelFileNode BoughRelFile;
typedef RelFileNodeBackend BoughRelFileBackend;

/*
 * Minor releases of 15 gave smgr_truncate (and mdtruncate) the relation's old length as a further argument, third of four; before
 * it had (relation, fork, blocks). smgrtruncate2() came with it, so its presence tells.
 */
extern bool bough_pg_truncate_has_old_length(void);

/* mdtruncate() of the running Postgres; `old_length` is ignored by those that do not take it. */
extern void bough_pg_mdtruncate(SMgrRelation relation, ForkNumber fork, BlockNumber old_length, BlockNumber length);

#endif
