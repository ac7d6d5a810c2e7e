#include "postgres.h"

#include "statistics.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

pg_atomic_uint64 *bough_counters;

static Size
counter_bytes(void)
{
	return BOUGH_COUNTERS * sizeof(pg_atomic_uint64);
}

void
bough_statistics_request_memory(void)
{
	RequestAddinShmemSpace(counter_bytes());
}

void
bough_statistics_attach(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	bough_counters = ShmemInitStruct("bough statistics", counter_bytes(), &found);
	if (!found)
	{
		for (int i = 0; i < BOUGH_COUNTERS; i++)
			pg_atomic_init_u64(&bough_counters[i], 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

PG_FUNCTION_INFO_V1(bough_stats);
extern PGDLLEXPORT Datum bough_stats(PG_FUNCTION_ARGS);

/* README.md has its CREATE FUNCTION: one bigint for each counter, in the order of BoughCounter. */
Datum
bough_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	descriptor;
	Datum		values[BOUGH_COUNTERS];
	bool		nulls[BOUGH_COUNTERS] = {false};

	if (bough_counters == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this server is not a compute of a branch")));
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE || descriptor->natts != BOUGH_COUNTERS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("bough_stats() must be declared with %d columns of type bigint", BOUGH_COUNTERS)));
	for (int i = 0; i < BOUGH_COUNTERS; i++)
	{
		if (TupleDescAttr(descriptor, i)->atttypid != INT8OID)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("bough_stats() must be declared with %d columns of type bigint", BOUGH_COUNTERS)));
		values[i] = Int64GetDatum((int64) pg_atomic_read_u64(&bough_counters[i]));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
