/* Redo mode: `postgres --single` with bough.so is a worker that applies WAL records to pages for the pageserver.
 * docs/protocols/redo_worker.md says how it is spoken to and what it may do.
 */
#ifndef BOUGH_REDO_H
#define BOUGH_REDO_H

/* Called by _PG_init when the environment says BOUGH_REDO=1. Replaces the storage manager and arranges that the process becomes
 * a worker once shared memory is set up; it never returns to Postgres from there. Raises FATAL where that cannot be. */
extern void bough_redo_init(void);

#endif
