#include "postgres.h"

#include "back_pressure.h"

#include "settings.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define PAUSE_MS 10
#define UNCANCELLABLE_MS_MAX 1000
#define LOG_AFTER_MS (10 * 1000)

uint64		bough_wal_at_last_look;

/*
 * Up to where as many safekeepers as a commit needs have all on disk, as far as answers have come. Before the first, since the server
 * started, all is there that it began with.
 */
static XLogRecPtr
flushed_by_quorum(void)
{
	XLogRecPtr	flushed = *(volatile XLogRecPtr *) &WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH];

	return Max(flushed, bough_start_lsn);
}

/*
 * Checkpoints keep wal_keep_size of WAL behind what was written last. Beyond that, what no safekeeper has yet could be removed, and this
 * server would have to be given up for one that begins at the last commit. The other half is for those who never wait, such as who has
 * written little.
 */
static uint64
bytes_behind_max(void)
{
	return Max((uint64) wal_keep_size_mb * 1024 * 1024 / 2, (uint64) wal_segment_size);
}

static bool
is_far_behind(uint64 *behind)
{
	XLogRecPtr	flushed = flushed_by_quorum();
	XLogRecPtr	written = GetXLogInsertRecPtr();

	*behind = written > flushed ? written - flushed : 0;
	return *behind > bytes_behind_max();
}

void
bough_wait_for_safekeepers(void)
{
	TimestampTz begin = 0;
	int			next_log = LOG_AFTER_MS;
	uint64		behind;

	bough_wal_at_last_look = pgWalUsage.wal_bytes;
	if (MyBackendType != B_BACKEND && MyBackendType != B_BG_WORKER && MyBackendType != B_AUTOVAC_WORKER)
		return;
	while (SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0' && is_far_behind(&behind))
	{
		TimestampTz now = GetCurrentTimestamp();

		if (begin == 0)
			begin = now;
		if (!INTERRUPTS_CAN_BE_PROCESSED() && TimestampDifferenceExceeds(begin, now, UNCANCELLABLE_MS_MAX))
			return;
		if (TimestampDifferenceExceeds(begin, now, next_log))
		{
			ereport(LOG,
					(errmsg("waiting for the safekeepers, which are %llu MB of WAL behind", (unsigned long long) behind >> 20),
					 errhint("Not more than half of \"wal_keep_size\" is written ahead of them.")));
			next_log += next_log;
		}
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, PAUSE_MS, PG_WAIT_EXTENSION);
	}
}
