#include "postgres.h"

#include "manifest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/relpath.h"
#include "port/pg_crc32c.h"

#define MANIFEST_PATH "bough/manifest"

StaticAssertDecl(sizeof(BoughManifestHeader) == 40, "the manifest's header has 40 bytes");
StaticAssertDecl(sizeof(BoughManifestEntry) == 32, "a manifest's entry has 32 bytes");

static const BoughManifestHeader *header;
static const BoughManifestEntry *entries;

/* Answers already given, so that a relation in use costs one comparison. The manifest never changes, so neither do they. */
#define LOOKUPS_REMEMBERED 1024 /* a power of two */

typedef struct
{
	BoughRelFile relation;		/* relNode is InvalidOid in an unused place */
	ForkNumber	fork;
	const BoughManifestEntry *entry;
} RememberedLookup;

static RememberedLookup remembered[LOOKUPS_REMEMBERED];

static void
refuse(const char *what)
{
	ereport(FATAL,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("file \"%s\" is not a manifest that this compute can use: %s", MANIFEST_PATH, what),
			 errhint("Make a new data directory for this compute from its branch.")));
}

static int
compare_to_key(const BoughManifestEntry *entry, const BoughManifestEntry *key)
{
	if (entry->tablespace != key->tablespace)
		return entry->tablespace < key->tablespace ? -1 : 1;
	if (entry->database != key->database)
		return entry->database < key->database ? -1 : 1;
	if (entry->relation != key->relation)
		return entry->relation < key->relation ? -1 : 1;
	if (entry->fork != key->fork)
		return entry->fork < key->fork ? -1 : 1;
	return 0;
}

static void
check_header(size_t file_bytes)
{
	if (file_bytes < sizeof(BoughManifestHeader))
		refuse("it is too short");
	if (header->magic != BOUGH_MANIFEST_MAGIC)
		refuse("it does not begin like one");
	if (header->version != BOUGH_MANIFEST_VERSION)
		refuse(psprintf("its version is %u, this library knows %d", header->version, BOUGH_MANIFEST_VERSION));
	if (file_bytes != sizeof(BoughManifestHeader) + (size_t) header->entry_count * sizeof(BoughManifestEntry))
		refuse("its length does not fit its number of entries");
}

static void
check_crc(void)
{
	BoughManifestHeader zeroed = *header;
	pg_crc32c	crc;

	zeroed.crc32c = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &zeroed, sizeof(zeroed));
	COMP_CRC32C(crc, entries, (size_t) header->entry_count * sizeof(BoughManifestEntry));
	FIN_CRC32C(crc);
	if (!EQ_CRC32C(crc, header->crc32c))
		refuse("its checksum is wrong");
}

static void
check_entries(void)
{
	uint64		block_count = 0;

	for (uint32 i = 0; i < header->entry_count; i++)
	{
		const BoughManifestEntry *entry = &entries[i];

		if (i > 0 && compare_to_key(entry - 1, entry) >= 0)
			refuse("its entries are not in order");
		if (entry->fork > MAX_FORKNUM || entry->relation == InvalidOid || entry->tablespace == InvalidOid ||
			entry->blocks > MaxBlockNumber)
			refuse("it has an impossible entry");
		if (entry->first_block_number != block_count)
			refuse("its block numbers do not add up");
		block_count += entry->blocks;
	}
	if (block_count != header->block_count)
		refuse("its number of blocks does not add up");
}

void
bough_manifest_open(XLogRecPtr start_lsn)
{
	int			fd = open(MANIFEST_PATH, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void	   *mapping;

	if (fd < 0 || fstat(fd, &st) != 0)
		ereport(FATAL,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", MANIFEST_PATH),
				 errhint("A data directory that \"bough.pageserver\" is set for must be made from a branch.")));
	if (st.st_size == 0)
		refuse("it is too short");
	mapping = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		ereport(FATAL,
				(errcode_for_file_access(),
				 errmsg("could not map file \"%s\": %m", MANIFEST_PATH)));
	close(fd);

	header = mapping;
	entries = (const BoughManifestEntry *) (header + 1);
	check_header(st.st_size);
	check_crc();
	check_entries();
	if (header->start_lsn != start_lsn)
		refuse(psprintf("it is of LSN %X/%X, but \"bough.start_lsn\" is %X/%X", LSN_FORMAT_ARGS(header->start_lsn),
						LSN_FORMAT_ARGS(start_lsn)));
}

const BoughManifestHeader *
bough_manifest_header(void)
{
	return header;
}

const BoughManifestEntry *
bough_manifest_entries(void)
{
	return entries;
}

static const BoughManifestEntry *
search_entries(BoughRelFile relation, ForkNumber fork)
{
	BoughManifestEntry key = {
		.tablespace = relation.spcNode,
		.database = relation.dbNode,
		.relation = relation.relNode,
		.fork = (uint32) fork
	};
	uint32		low = 0;
	uint32		high = header->entry_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		int			order = compare_to_key(&entries[middle], &key);

		if (order == 0)
			return &entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const BoughManifestEntry *
bough_manifest_find(BoughRelFile relation, ForkNumber fork)
{
	uint32		place = (relation.relNode * 4 + fork + relation.dbNode * 0x9E3779B1u) & (LOOKUPS_REMEMBERED - 1);
	RememberedLookup *lookup = &remembered[place];

	if (RelFileNodeEquals(lookup->relation, relation) && lookup->fork == fork)
		return lookup->entry;
	if (relation.relNode == InvalidOid)
		return NULL;
	lookup->entry = search_entries(relation, fork);
	lookup->fork = fork;
	lookup->relation = relation;
	return lookup->entry;
}
