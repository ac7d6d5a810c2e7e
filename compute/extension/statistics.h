/* Counters of what this compute fetched, in shared memory since the server started; bough_stats() shows them in SQL. */
#ifndef BOUGH_STATISTICS_H
#define BOUGH_STATISTICS_H

#include "postgres.h"

#include "port/atomics.h"

typedef enum
{
	BOUGH_COUNT_PAGES_FETCHED,	/* pages that came and were put into local files */
	BOUGH_COUNT_PAGES_DISCARDED,	/* pages that came and were not needed any more */
	BOUGH_COUNT_REQUESTS,
	BOUGH_COUNT_READAHEAD_PAGES,	/* pages asked for before anybody read them */
	BOUGH_COUNT_READAHEAD_HITS, /* reads that found such a page there or on its way */
	BOUGH_COUNT_WAITS,			/* reads that had to wait for the pageserver */
	BOUGH_COUNT_WAIT_MICROSECONDS,
	BOUGH_COUNT_CONNECTIONS,
	BOUGH_COUNT_FAILURES,		/* reads that ended in an error */
	BOUGH_COUNT_FILES_MADE,
	BOUGH_COUNTERS
} BoughCounter;

extern pg_atomic_uint64 *bough_counters;

/* From shmem_request_hook and shmem_startup_hook. */
extern void bough_statistics_request_memory(void);
extern void bough_statistics_attach(void);

static inline void
bough_count(BoughCounter counter, uint64 amount)
{
	pg_atomic_fetch_add_u64(&bough_counters[counter], amount);
}

#endif
