#include "postgres.h"

#include "readahead.h"

#include "settings.h"

#define PASSES 16
#define WIDENING 4				/* 1, 4, 16, 64 … blocks */
#define BLOCKS_SKIPPED_MAX 16	/* a pass leaves out blocks that are in shared buffers */

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

BoughPass *
bough_readahead_note(const BoughManifestEntry *entry, BlockNumber block, bool by_prefetch)
{
	/* Prefetching names each block it wants, so only neighbours make it a pass. */
	BlockNumber skipped_max = by_prefetch ? 0 : BLOCKS_SKIPPED_MAX;
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
		return pass;
	}
	pass = place_for_new();
	*pass = (BoughPass)
	{
		.entry = entry,
			.by_prefetch = by_prefetch,
			.next = block + 1,
			.window = 0,
			.requested_until = block,
			.last_use = clock_of_uses
	};
	return pass;
}

BlockNumber
bough_readahead_widen(BoughPass *pass)
{
	pass->window = pass->window == 0 ? 1 : pass->window * WIDENING;
	pass->window = Min(pass->window, (BlockNumber) bough_readahead);
	return pass->window;
}

bool
bough_readahead_is_due(const BoughPass *pass)
{
	return is_sequential(pass) && pass->requested_until >= pass->next &&
		pass->requested_until - pass->next <= pass->window / 2;
}

void
bough_readahead_narrow(BoughPass *pass)
{
	pass->window = 0;
	pass->requested_until = pass->next;
}
