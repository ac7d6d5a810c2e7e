/*
 * What of the base is already in local files: one bit per block number of the manifest, and the state of each fork's files.
 *
 * Lives in the file bough/presence below the data directory, mapped shared, so that a compute that was shut down cleanly resumes with
 * it. Bits are only ever set, and file states only ever advance. All functions may be called by any process at any time; which
 * lock makes a change right is the business of base_block.h.
 */
#ifndef BOUGH_PRESENCE_H
#define BOUGH_PRESENCE_H

#include "manifest.h"

#include "port/atomics.h"

typedef enum
{
	BOUGH_FILE_NOT_MADE = 0,	/* no local file yet: only the manifest knows the fork */
	BOUGH_FILE_MADE = 1,		/* local files at their full length, maybe with holes where bits are clear */
	BOUGH_FILE_DROPPED = 2		/* the base's fork is gone for ever; a later relation of this name is none of ours */
} BoughFileState;

typedef struct
{
	pg_atomic_uint32 file_state;	/* BoughFileState */
	pg_atomic_uint32 absent_blocks; /* how many of the fork's bits are clear */
} BoughForkPresence;

/* Maps the file, making it if there is none. After bough_manifest_open(). FATAL if it belongs to another manifest. */
extern void bough_presence_open(void);

extern BoughForkPresence *bough_presence_forks;

static inline BoughFileState
bough_presence_file_state(const BoughManifestEntry *entry)
{
	return (BoughFileState) pg_atomic_read_u32(&bough_presence_forks[bough_manifest_index(entry)].file_state);
}

/* The files are as `state` says before this is called. */
extern void bough_presence_set_file_state(const BoughManifestEntry *entry, BoughFileState state);

/* True if every block of the fork is present; then no block of it is ever fetched again. */
static inline bool
bough_presence_is_complete(const BoughManifestEntry *entry)
{
	bool		complete = pg_atomic_read_u32(&bough_presence_forks[bough_manifest_index(entry)].absent_blocks) == 0;

	pg_read_barrier();
	return complete;
}

/* `block` is within the entry. True means that the local file has it: what was written before the bit was set is seen. */
extern bool bough_presence_has(const BoughManifestEntry *entry, BlockNumber block);

/* Sets the bits of blocks [first, first + count), of which those beyond the entry's end are ignored. */
extern void bough_presence_set(const BoughManifestEntry *entry, BlockNumber first, BlockNumber count);

/* How many blocks from `first` on are absent without a gap; at most `limit`, and none beyond the entry's end. */
extern BlockNumber bough_presence_absent_run(const BoughManifestEntry *entry, BlockNumber first, BlockNumber limit);

#endif
