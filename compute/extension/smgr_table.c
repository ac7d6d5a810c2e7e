#include "postgres.h"

#include "smgr_table.h"

#include <link.h>

#include "constant_data.h"

#include "storage/md.h"

typedef struct
{
	BoughSmgr	wanted;
	void	   *found;
	int			count;
} TableSearch;

void
bough_smgr_table_md(BoughSmgr *table)
{
	void	   *truncate = (void *) mdtruncate;

	*table = (BoughSmgr)
	{
		.smgr_init = mdinit,
			.smgr_shutdown = NULL,
			.smgr_open = mdopen,
			.smgr_close = mdclose,
			.smgr_create = mdcreate,
			.smgr_exists = mdexists,
			.smgr_unlink = mdunlink,
			.smgr_extend = mdextend,
			.smgr_prefetch = mdprefetch,
			.smgr_read = mdread,
			.smgr_write = mdwrite,
			.smgr_writeback = mdwriteback,
			.smgr_nblocks = mdnblocks,
			.smgr_immedsync = mdimmedsync,
	};
	memcpy(&table->smgr_truncate, &truncate, sizeof(truncate));
}

/* Of the main executable, which dl_iterate_phdr() reports first and without a name: its initialised writable data. */
static int
search_executable(struct dl_phdr_info *info, size_t size, void *argument)
{
	TableSearch *search = argument;

	(void) size;
	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		char	   *begin = (char *) info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0)
			continue;
		for (char *at = (char *) MAXALIGN(begin); at + sizeof(BoughSmgr) <= begin + segment->p_filesz; at += sizeof(void *))
		{
			if (memcmp(at, &search->wanted, sizeof(BoughSmgr)) == 0)
			{
				search->found = at;
				search->count++;
			}
		}
	}
	return 1;
}

bool
bough_smgr_table_replace(const BoughSmgr *replacement, const char **error)
{
	TableSearch search = {.found = NULL,.count = 0};

	bough_smgr_table_md(&search.wanted);
	dl_iterate_phdr(search_executable, &search);
	if (search.count == 0)
	{
		*error = "this executable has no storage manager table of the known layout";
		return false;
	}
	if (search.count > 1)
	{
		*error = "this executable has more than one storage manager table";
		return false;
	}
	return bough_constant_data_write(search.found, replacement, sizeof(BoughSmgr), error);
}
