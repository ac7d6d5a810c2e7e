#include "postgres.h"

#include "base_block.h"

#include "storage/md.h"

#define LOCK_TRANCHE "bough"
#define LOCKS 128
#define BLOCKS_PER_LOCK 128		/* neighbours share a lock, so that truncating a long relation takes few */

static LWLockPadded *locks;

void
bough_base_block_request_locks(void)
{
	RequestNamedLWLockTranche(LOCK_TRANCHE, LOCKS);
}

void
bough_base_block_attach_locks(void)
{
	locks = GetNamedLWLockTranche(LOCK_TRANCHE);
}

static LWLock *
lock_of(const BoughManifestEntry *entry, BlockNumber block)
{
	return &locks[(bough_manifest_index(entry) * 31 + block / BLOCKS_PER_LOCK) % LOCKS].lock;
}

LWLock *
bough_base_block_file_lock(const BoughManifestEntry *entry)
{
	return lock_of(entry, 0);
}

bool
bough_base_block_fill(const BoughManifestEntry *entry, SMgrRelation relation, BlockNumber block, char *page)
{
	LWLock	   *lock = lock_of(entry, block);
	bool		absent;

	if (bough_presence_has(entry, block))
		return false;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	absent = !bough_presence_has(entry, block);
	if (absent)
	{
		mdwrite(relation, (ForkNumber) entry->fork, block, page, true);
		bough_presence_set(entry, block, 1);
	}
	LWLockRelease(lock);
	return absent;
}

LWLock *
bough_base_block_begin_write(const BoughManifestEntry *entry, BlockNumber block)
{
	LWLock	   *lock;

	if (block >= entry->blocks || bough_presence_has(entry, block))
		return NULL;
	lock = lock_of(entry, block);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	return lock;
}

void
bough_base_block_end_write(LWLock *lock, const BoughManifestEntry *entry, BlockNumber block)
{
	if (lock == NULL)
		return;
	bough_presence_set(entry, block, 1);
	LWLockRelease(lock);
}

void
bough_base_block_discard(const BoughManifestEntry *entry, BlockNumber first)
{
	BlockNumber block = first;

	while (block < entry->blocks && !bough_presence_is_complete(entry))
	{
		BlockNumber count = Min(BLOCKS_PER_LOCK - block % BLOCKS_PER_LOCK, entry->blocks - block);
		LWLock	   *lock = lock_of(entry, block);

		LWLockAcquire(lock, LW_EXCLUSIVE);
		bough_presence_set(entry, block, count);
		LWLockRelease(lock);
		block += count;
	}
}
