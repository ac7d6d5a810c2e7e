#include "postgres.h"

#include "readahead.h"

#include "settings.h"

#include "access/xact.h"
#include "postmaster/bgworker_internals.h"

#define PASSES 16
#define WIDENING 4				/* 1, 4, 16, 64 … blocks */
#define FORK_BLOCKS_SMALL 8		/* what is read of so short a fork is not the last of it: the catalogue's, when a session starts */
#define BLOCKS_SKIPPED_MAX 16	/* a pass leaves out blocks that are in shared buffers */

/*
 * A parallel scan deals out chunks to each of its processes, which then jumps ahead: of one block for a short table, of at most the
 * greater number for a long one. Jumps over few blocks are taken for one run: that costs pages fetched by several processes, but
 * spares asking for every block by itself.
 */
#define CHUNK_BLOCKS_SMALL 7
#define CHUNK_BLOCKS_MAX 8192
#define CHUNKS_PER_RUN_MAX 4	/* a longer run is no longer taken for some chunks that happened to be neighbours */

static BoughPass passes[PASSES];
static uint64 clock_of_uses;

static bool
is_sequential(const BoughPass *pass)
{
	return pass->window > 1;
}

/* A pass that never became one goes first, so that random reads do not drive out a scan. */
static BoughPass *
place_for_new(void)
{
	BoughPass  *oldest = &passes[0];

	for (int i = 1; i < PASSES; i++)
	{
		BoughPass  *pass = &passes[i];

		if (is_sequential(pass) != is_sequential(oldest) ? !is_sequential(pass) : pass->last_use < oldest->last_use)
			oldest = pass;
	}
	return oldest;
}

/* A pass over the fork in whose future the block lies, as the next chunk of a parallel scan does. */
static BoughPass *
pass_that_jumps_to(const BoughManifestEntry *entry, BlockNumber block)
{
	if (!IsInParallelMode())
		return NULL;
	for (int i = 0; i < PASSES; i++)
	{
		BoughPass  *pass = &passes[i];

		if (pass->entry == entry && !pass->by_prefetch && is_sequential(pass) && block > pass->next &&
			block - pass->next <= CHUNK_BLOCKS_MAX * MAX_PARALLEL_WORKER_LIMIT)
			return pass;
	}
	return NULL;
}

BoughPass *
bough_readahead_note(const BoughManifestEntry *entry, BlockNumber block, bool by_prefetch)
{
	/* Prefetching names each block that it wants, so only neighbours make it a pass. */
	BlockNumber skipped_max = by_prefetch ? 0 : IsInParallelMode() ? CHUNK_BLOCKS_SMALL : BLOCKS_SKIPPED_MAX;
	BoughPass  *pass;

	clock_of_uses++;
	for (int i = 0; i < PASSES; i++)
	{
		pass = &passes[i];
		if (pass->entry != entry || pass->by_prefetch != by_prefetch)
			continue;
		if (block + 1 < pass->next || block > pass->next + skipped_max)
			continue;
		pass->next = block + 1;
		pass->last_use = clock_of_uses;
		if (pass->next > pass->run_end)
			pass->run_end += pass->chunk;
		if (pass->next - pass->run_begin > pass->chunk * CHUNKS_PER_RUN_MAX)
			pass->run_end = InvalidBlockNumber;
		return pass;
	}
	pass = by_prefetch ? NULL : pass_that_jumps_to(entry, block);
	if (pass != NULL)
	{
		BlockNumber run = pass->next - pass->run_begin;

		/* Chunks are alike: ask for all of this one at once, and not for the next, which another process may be given. */
		if (pass->chunk == 0 || run % pass->chunk != 0 || run / pass->chunk > CHUNKS_PER_RUN_MAX)
			pass->chunk = run;
		pass->run_end = block + pass->chunk;
		pass->window = bough_readahead;
	}
	else
	{
		pass = place_for_new();
		*pass = (BoughPass)
		{
			.entry = entry,.by_prefetch = by_prefetch,.run_end = InvalidBlockNumber
		};
	}
	pass->next = block + 1;
	pass->run_begin = block;
	pass->requested_until = block;
	pass->last_use = clock_of_uses;
	return pass;
}

BlockNumber
bough_readahead_widen(BoughPass *pass, BlockNumber first)
{
	if (pass->window == 0 && pass->entry->blocks <= FORK_BLOCKS_SMALL)
	{
		pass->window = 1;
		return Min(FORK_BLOCKS_SMALL, (BlockNumber) bough_readahead);
	}
	pass->window = pass->window == 0 ? 1 : pass->window * WIDENING;
	pass->window = Min(pass->window, (BlockNumber) bough_readahead);
	return first < pass->run_end ? Min(pass->window, pass->run_end - first) : pass->window;
}

bool
bough_readahead_is_due(const BoughPass *pass)
{
	return is_sequential(pass) && pass->requested_until >= pass->next && pass->requested_until < pass->run_end &&
		pass->requested_until - pass->next <= pass->window / 2;
}

void
bough_readahead_narrow(BoughPass *pass)
{
	pass->window = 0;
	pass->requested_until = pass->next;
}
