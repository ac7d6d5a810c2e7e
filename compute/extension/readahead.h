/*
 * Which blocks to ask for when one is read: detects this process's sequential passes over forks, several at a time, and widens what
 * is asked for as a pass goes on. Decides only; fetch.c acts.
 */
#ifndef BOUGH_READAHEAD_H
#define BOUGH_READAHEAD_H

#include "manifest.h"

typedef struct
{
	const BoughManifestEntry *entry;	/* NULL in an unused place */
	bool		by_prefetch;	/* a pass of smgrprefetch(), which runs ahead of the reads */
	BlockNumber next;			/* the block after the last one seen */
	BlockNumber window;			/* how many blocks the last request had */
	BlockNumber run_begin;		/* where the pass began, or last jumped to */
	BlockNumber run_end;		/* where it may jump again; InvalidBlockNumber if it is not known to */
	BlockNumber chunk;			/* between two jumps it reads one such length, or several; 0 if it is not known to jump */
	BlockNumber requested_until;	/* end of what was asked for on this pass; at most `next` if nothing is left of it */
	uint64		last_use;
} BoughPass;

/*
 * Notes that `block` is wanted, and gives the pass that it continues or begins. Valid until the next call.
 */
extern BoughPass *bough_readahead_note(const BoughManifestEntry *entry, BlockNumber block, bool by_prefetch);

/* The number of blocks that the pass's next request, from `first` on, should have, at most bough.readahead; each call widens it. */
extern BlockNumber bough_readahead_widen(BoughPass *pass, BlockNumber first);

/* True if so little is left of what was asked for that more should be. */
extern bool bough_readahead_is_due(const BoughPass *pass);

/* Begin again with single blocks. */
extern void bough_readahead_narrow(BoughPass *pass);

#endif
