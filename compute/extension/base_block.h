/*
 * The rules for changing a base block's local copy while other processes may be fetching it (README.md, "The presence protocol").
 *
 * A partition of LWLocks covers all base blocks. They are leaves: under one, only md is called.
 */
#ifndef BOUGH_BASE_BLOCK_H
#define BOUGH_BASE_BLOCK_H

#include "presence.h"

#include "storage/lwlock.h"

/* From shmem_request_hook and shmem_startup_hook. */
extern void bough_base_block_request_locks(void);
extern void bough_base_block_attach_locks(void);

/*
 * Puts a fetched page into the local file, unless the block became present since it was asked for: then the page is of no use and
 * false is returned. `relation` is the entry's. ERROR if the file cannot be written; the block then stays absent.
 */
extern bool bough_base_block_fill(const BoughManifestEntry *entry, SMgrRelation relation, BlockNumber block, char *page);

/*
 * Around md's write of a block that may be absent. begin returns NULL if it is present (the usual case; no lock), else it holds the
 * block's lock, which end releases after marking the block present. An ERROR between them releases it and leaves the block absent.
 */
extern LWLock *bough_base_block_begin_write(const BoughManifestEntry *entry, BlockNumber block);
extern void bough_base_block_end_write(LWLock *lock, const BoughManifestEntry *entry, BlockNumber block);

/*
 * Gives up the base's blocks from `first` on: after this none of them is fetched or filled, and every fill that was under way has
 * ended. Before truncating or unlinking.
 */
extern void bough_base_block_discard(const BoughManifestEntry *entry, BlockNumber first);

/* The lock under which the fork's file state changes. */
extern LWLock *bough_base_block_file_lock(const BoughManifestEntry *entry);

#endif
