/* Redo mode: how `postgres --single` becomes a redo worker.
 *
 * Postgres starts as ever on a directory that holds little more than a control file. Once its shared memory is set up it calls
 * shmem_startup_hook, and there the worker takes over: it puts the process in the state of the startup process in crash
 * recovery, gives up everything it does not need, and answers requests until its socket closes.
 */
#include "postgres.h"

#include "redo.h"
#include "redo_apply.h"
#include "redo_loop.h"
#include "redo_memory.h"
#include "redo_smgr.h"
#include "seccomp_filter.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "miscadmin.h"
#include "proto/redo_worker.h"
#include "storage/ipc.h"
#include "storage/proc.h"

/* The key of the segment: sysv_shmem.c's, not declared in a header for this platform. */
extern PGDLLIMPORT unsigned long UsedShmemSegID;

static shmem_startup_hook_type previous_hook;

/* The segment goes away with its last user: a killed worker leaves nothing behind in the kernel. */
static void
mark_shared_memory_for_removal(void)
{
	int			id = shmget((key_t) UsedShmemSegID, 0, 0);

	if (id < 0 || shmctl(id, IPC_RMID, NULL) != 0)
		ereport(FATAL, (errmsg("could not mark shared memory for removal: %m")));
}

static void
become_worker(void)
{
	char error[256];

	if (previous_hook)
		previous_hook();
	InitProcess();
	BaseInit();
	bough_redo_apply_start();
	bough_redo_memory_map();
	mark_shared_memory_for_removal();

	if (close_range(BOUGH_REDO_FD + 1, ~0U, 0) != 0)
		ereport(FATAL, (errmsg("could not close file descriptors: %m")));
	if (bough_seccomp_confine(error, sizeof(error)) != 0)
		ereport(FATAL, (errmsg_internal("%s", error)));
	bough_redo_loop();
}

void
bough_redo_init(void)
{
	if (IsPostmasterEnvironment || IsUnderPostmaster || !process_shared_preload_libraries_in_progress)
		ereport(FATAL, (errmsg("redo mode needs postgres --single with bough in shared_preload_libraries")));
	if (fcntl(BOUGH_REDO_FD, F_GETFD) < 0 || fcntl(BOUGH_REDO_MEMORY_FD, F_GETFD) < 0)
		ereport(FATAL, (errmsg("redo mode needs open file descriptors %d and %d", BOUGH_REDO_FD, BOUGH_REDO_MEMORY_FD)));
	bough_redo_smgr_install();
	previous_hook = shmem_startup_hook;
	shmem_startup_hook = become_worker;
}
