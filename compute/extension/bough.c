/* bough.so: makes a stock Postgres a compute of a branch, or one of the pageserver's redo workers. README.md tells how. */
#include "postgres.h"

#include "base_backup.h"
#include "base_block.h"
#include "database_commands.h"
#include "manifest.h"
#include "overlay.h"
#include "presence.h"
#include "quorum_setting.h"
#include "redo.h"
#include "relation_sizes.h"
#include "sender_wakeups.h"
#include "settings.h"
#include "statistics.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static shmem_request_hook_type next_shmem_request_hook;
static shmem_startup_hook_type next_shmem_startup_hook;

static void
request_shared_memory(void)
{
	if (next_shmem_request_hook != NULL)
		next_shmem_request_hook();
	bough_base_block_request_locks();
	bough_statistics_request_memory();
}

static void
attach_shared_memory(void)
{
	if (next_shmem_startup_hook != NULL)
		next_shmem_startup_hook();
	bough_base_block_attach_locks();
	bough_statistics_attach();
}

static void
become_compute(void)
{
	bough_manifest_open(bough_start_lsn);
	bough_presence_open();
	bough_overlay_install();
	bough_relation_sizes_install();
	bough_base_backup_refuse();
	bough_database_commands_install();
	bough_quorum_setting_protect();
	bough_sender_wakeups_install();

	next_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	next_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_shared_memory;

	ereport(LOG,
			(errmsg("serving branch \"%s\" of project \"%s\" from LSN %X/%X, with %u forks and %llu blocks in its base",
					bough_branch, bough_project, LSN_FORMAT_ARGS(bough_start_lsn), bough_manifest_header()->entry_count,
					(unsigned long long) bough_manifest_header()->block_count)));
}

void
_PG_init(void)
{
	const char *redo = getenv("BOUGH_REDO");

	if (redo != NULL && strcmp(redo, "1") == 0)
	{
		bough_redo_init();
		return;
	}

	/* Loaded by a session: the functions it may be after need nothing from here, and it is too late for the rest. */
	if (!process_shared_preload_libraries_in_progress)
		return;
	bough_settings_define();
	if (bough_pageserver[0] == '\0')
	{
		ereport(LOG, (errmsg("library \"bough\" does nothing, because \"bough.pageserver\" is not set")));
		return;
	}
	become_compute();
}
