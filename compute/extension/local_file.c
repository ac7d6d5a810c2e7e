#include "postgres.h"

#include "local_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_block.h"
#include "statistics.h"

#include "commands/tablespace.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "storage/backendid.h"
#include "storage/fd.h"

static void
segment_path(char *path, const BoughManifestEntry *entry, BlockNumber segment)
{
	char	   *first = relpathperm(bough_manifest_relation(entry), (ForkNumber) entry->fork);

	if (segment == 0)
		strlcpy(path, first, MAXPGPATH);
	else
		snprintf(path, MAXPGPATH, "%s.%u", first, segment);
	pfree(first);
}

/*
 * Opens a segment that is to be new. One left over from a making that failed half way is taken if it holds no data; anything else
 * under that name is not ours to overwrite.
 */
static int
create_segment(const char *path)
{
	int			fd = BasicOpenFile(path, O_RDWR | O_CREAT | O_EXCL | PG_BINARY);
	struct stat st;

	if (fd >= 0 || errno != EEXIST)
		return fd;
	fd = BasicOpenFile(path, O_RDWR | PG_BINARY);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_blocks > 0)
	{
		close(fd);
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" has data, although no page of it was fetched", path),
				 errhint("Make a new data directory for this compute from its branch.")));
	}
	return fd;
}

static void
make_segment(const BoughManifestEntry *entry, BlockNumber segment)
{
	BlockNumber first = segment * (BlockNumber) RELSEG_SIZE;
	BlockNumber blocks = Min(entry->blocks - first, (BlockNumber) RELSEG_SIZE);
	char		path[MAXPGPATH];
	int			fd;

	segment_path(path, entry, segment);
	fd = create_segment(path);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", path)));
	if (ftruncate(fd, (off_t) blocks * BLCKSZ) != 0)
	{
		int			save_errno = errno;

		close(fd);
		errno = save_errno;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not set the length of file \"%s\": %m", path)));
	}
	close(fd);
}

void
bough_local_file_make(const BoughManifestEntry *entry)
{
	LWLock	   *lock = bough_base_block_file_lock(entry);
	BlockNumber segments = entry->blocks == 0 ? 1 : (entry->blocks - 1) / RELSEG_SIZE + 1;

	/* Takes a lock of its own, so before ours. As in recovery, a missing tablespace directory is made where its link would be. */
	TablespaceCreateDbspace(entry->tablespace, entry->database, true);

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (bough_presence_file_state(entry) == BOUGH_FILE_NOT_MADE)
	{
		/* The first segment last: without it md sees no file. */
		for (BlockNumber segment = segments; segment-- > 0;)
			make_segment(entry, segment);
		bough_presence_set_file_state(entry, BOUGH_FILE_MADE);
		bough_count(BOUGH_COUNT_FILES_MADE, 1);
	}
	LWLockRelease(lock);
}

void
bough_local_file_make_all(Oid tablespace, Oid database)
{
	const BoughManifestEntry *entries = bough_manifest_entries();

	for (uint32 i = 0; i < bough_manifest_header()->entry_count; i++)
	{
		if ((tablespace != InvalidOid && entries[i].tablespace != tablespace) ||
			(database != InvalidOid && entries[i].database != database))
			continue;
		CHECK_FOR_INTERRUPTS();
		bough_local_file_need(&entries[i]);
	}
}

void
bough_local_file_drop(const BoughManifestEntry *entry, bool leave_marker)
{
	LWLock	   *lock = bough_base_block_file_lock(entry);
	BoughFileState before;

	bough_base_block_discard(entry, 0);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	before = bough_presence_file_state(entry);
	bough_presence_set_file_state(entry, BOUGH_FILE_DROPPED);
	if (before == BOUGH_FILE_NOT_MADE && leave_marker)
	{
		char		path[MAXPGPATH];
		int			fd;

		segment_path(path, entry, 0);
		fd = BasicOpenFile(path, O_RDWR | O_CREAT | PG_BINARY);
		if (fd < 0 && errno != ENOENT)
			ereport(WARNING,
					(errcode_for_file_access(),
					 errmsg("could not create file \"%s\": %m", path)));
		if (fd >= 0)
			close(fd);
	}
	LWLockRelease(lock);
}
