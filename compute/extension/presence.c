#include "postgres.h"

#include "presence.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "port/pg_bitutils.h"

#define PRESENCE_PATH "bough/presence"
#define PRESENCE_PATH_NEW "bough/presence.new"

#define PRESENCE_MAGIC UINT64CONST(0x5345525048474F42)	/* "BOGHPRES" */
#define PRESENCE_VERSION 1

/* The file: this header, the forks in the order of the manifest, then from the next multiple of 8 on the bits as 64-bit words. */
typedef struct
{
	uint64		magic;
	uint32		version;
	uint32		entry_count;
	uint64		block_count;
	uint64		start_lsn;
	uint32		manifest_crc32c;
	uint32		reserved;
} PresenceHeader;

StaticAssertDecl(sizeof(PresenceHeader) == 40, "the presence file's header has 40 bytes");
StaticAssertDecl(sizeof(BoughForkPresence) == 8, "a fork has 8 bytes in the presence file");

BoughForkPresence *bough_presence_forks;
static pg_atomic_uint64 *words;

static PresenceHeader
expected_header(void)
{
	const BoughManifestHeader *manifest = bough_manifest_header();

	return (PresenceHeader)
	{
		.magic = PRESENCE_MAGIC,
			.version = PRESENCE_VERSION,
			.entry_count = manifest->entry_count,
			.block_count = manifest->block_count,
			.start_lsn = manifest->start_lsn,
			.manifest_crc32c = manifest->crc32c
	};
}

static size_t
file_bytes(void)
{
	const BoughManifestHeader *manifest = bough_manifest_header();

	return sizeof(PresenceHeader) + (size_t) manifest->entry_count * sizeof(BoughForkPresence) +
		(manifest->block_count + 63) / 64 * sizeof(pg_atomic_uint64);
}

static void
fail(const char *action)
{
	ereport(FATAL,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\": %m", action, PRESENCE_PATH)));
}

static void
write_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0)
	{
		ssize_t		written = write(fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			fail("write");
		at += written;
		length -= written;
	}
}

/*
 * Every block of the file is allocated now: were it sparse, a full disk would be met as a bus error when a bit is set. It gets its
 * name only when it is whole.
 */
static void
create_file(void)
{
	const BoughManifestHeader *manifest = bough_manifest_header();
	PresenceHeader header = expected_header();
	int			fd = open(PRESENCE_PATH_NEW, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, pg_file_create_mode);
	BoughForkPresence chunk[512];
	uint32		i = 0;

	if (fd < 0)
		fail("create");
	errno = posix_fallocate(fd, 0, file_bytes());
	if (errno != 0)
		fail("allocate");
	write_all(fd, &header, sizeof(header));
	while (i < manifest->entry_count)
	{
		uint32		count = Min(lengthof(chunk), manifest->entry_count - i);

		for (uint32 j = 0; j < count; j++)
		{
			pg_atomic_init_u32(&chunk[j].file_state, BOUGH_FILE_NOT_MADE);
			pg_atomic_init_u32(&chunk[j].absent_blocks, bough_manifest_entries()[i + j].blocks);
		}
		write_all(fd, chunk, count * sizeof(chunk[0]));
		i += count;
	}
	close(fd);
	if (rename(PRESENCE_PATH_NEW, PRESENCE_PATH) != 0)
		fail("rename");
}

void
bough_presence_open(void)
{
	PresenceHeader expected = expected_header();
	PresenceHeader *header;
	struct stat st;
	int			fd = open(PRESENCE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
	{
		create_file();
		fd = open(PRESENCE_PATH, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) != 0)
		fail("open");
	if ((size_t) st.st_size != file_bytes())
		ereport(FATAL,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" does not have the length that the manifest asks for", PRESENCE_PATH),
				 errhint("Make a new data directory for this compute from its branch.")));
	header = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		fail("map");
	close(fd);
	if (memcmp(header, &expected, sizeof(expected)) != 0)
		ereport(FATAL,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" belongs to another manifest", PRESENCE_PATH),
				 errdetail("It is of LSN %X/%X, the manifest of %X/%X.", LSN_FORMAT_ARGS(header->start_lsn),
						   LSN_FORMAT_ARGS(expected.start_lsn)),
				 errhint("Make a new data directory for this compute from its branch.")));
	bough_presence_forks = (BoughForkPresence *) (header + 1);
	words = (pg_atomic_uint64 *) (bough_presence_forks + expected.entry_count);
}

void
bough_presence_set_file_state(const BoughManifestEntry *entry, BoughFileState state)
{
	pg_write_barrier();
	pg_atomic_write_u32(&bough_presence_forks[bough_manifest_index(entry)].file_state, state);
}

bool
bough_presence_has(const BoughManifestEntry *entry, BlockNumber block)
{
	uint64		number = entry->first_block_number + block;
	bool		present;

	Assert(block < entry->blocks);
	present = (pg_atomic_read_u64(&words[number / 64]) >> (number % 64)) & 1;
	pg_read_barrier();
	return present;
}

void
bough_presence_set(const BoughManifestEntry *entry, BlockNumber first, BlockNumber count)
{
	BoughForkPresence *fork = &bough_presence_forks[bough_manifest_index(entry)];
	uint64		number = entry->first_block_number + first;
	uint64		end;

	if (first >= entry->blocks)
		return;
	end = number + Min(count, entry->blocks - first);
	while (number < end)
	{
		uint32		shift = number % 64;
		uint32		width = Min(64 - shift, end - number);
		uint64		mask = (width == 64 ? ~UINT64CONST(0) : (UINT64CONST(1) << width) - 1) << shift;
		uint64		before = pg_atomic_fetch_or_u64(&words[number / 64], mask);

		/* Each bit is counted by the one who set it; the last of them makes the fork complete. */
		if ((before & mask) != mask)
			pg_atomic_fetch_sub_u32(&fork->absent_blocks, pg_popcount64(mask & ~before));
		number += width;
	}
}

BlockNumber
bough_presence_absent_run(const BoughManifestEntry *entry, BlockNumber first, BlockNumber limit)
{
	BlockNumber length = 0;

	if (first >= entry->blocks)
		return 0;
	limit = Min(limit, entry->blocks - first);
	while (length < limit && !bough_presence_has(entry, first + length))
		length++;
	return length;
}
