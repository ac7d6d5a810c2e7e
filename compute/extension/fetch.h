/*
 * Bringing absent blocks from the pageserver into local files. In any process that has a PGPROC; interrupts are taken while waiting
 * where the caller's state allows it.
 */
#ifndef BOUGH_FETCH_H
#define BOUGH_FETCH_H

#include "readahead.h"

/*
 * Reads a block that was absent a moment ago into `page`, and leaves it present. Waits, reconnects and tries again for at most
 * bough.fetch_timeout. ERROR with the pageserver's code, or 08006 if it could not be reached.
 */
extern void bough_fetch_block(SMgrRelation relation, BoughPass *pass, BlockNumber block, char *page);

/* Asks for what comes next on a pass whose blocks are arriving, if it is time to. Does not wait. */
extern void bough_fetch_ahead(BoughPass *pass);

/* Asks for a block that will be read soon. Does not wait for it, and raises nothing if the pageserver is not there. */
extern void bough_fetch_soon(const BoughManifestEntry *entry, BlockNumber block);

/* Makes every block of the fork present. ERROR if one cannot be had. */
extern void bough_fetch_fork(const BoughManifestEntry *entry);

#endif
