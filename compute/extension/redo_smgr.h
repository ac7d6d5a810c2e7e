/* The storage manager of redo mode: no files. It holds one page, the target; every other block of every relation reads as a
 * page that no record can change, and what is written to other blocks is forgotten.
 */
#ifndef BOUGH_REDO_SMGR_H
#define BOUGH_REDO_SMGR_H

#include "postgres.h"

#include "storage/buf_internals.h"

/* An LSN no record reaches: redo routines leave a page that has it alone. */
#define BOUGH_REDO_LSN_MAX ((XLogRecPtr) 0xFFFFFFFFFFFFFFF0ULL)

/* Puts the storage manager in place of md. Call once, before shared memory is set up. */
extern void bough_redo_smgr_install(void);

/* From here on the block that is answered with a real page. The page lives in the storage manager only while it is evicted from
 * the buffer pool, so whoever sets a target puts the page into a buffer and marks it dirty. */
extern void bough_redo_smgr_set_target(const BufferTag *tag);

/* The page that stands for every block but the target. Valid after bough_redo_smgr_install(). */
extern const char *bough_redo_smgr_foreign_page(void);

/* Closes smgr's entries when many have gathered; a worker sees any number of relations in its life. Only between requests. */
extern void bough_redo_smgr_trim(void);

#endif
