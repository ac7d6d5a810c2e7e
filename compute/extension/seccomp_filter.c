/* The redo worker's sandbox. Records are bytes from outside, applied by C code that trusts them: whatever they make it do, it
 * must not reach a file, the network or another process.
 */
#include "seccomp_filter.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Harmless with any arguments, given that nothing can be opened. */
static const int allowed[] = {
	SCMP_SYS(read),          SCMP_SYS(write),         SCMP_SYS(readv),         SCMP_SYS(writev),
	SCMP_SYS(recvfrom),      SCMP_SYS(sendto),        SCMP_SYS(poll),          SCMP_SYS(ppoll),
	SCMP_SYS(brk),           SCMP_SYS(munmap),        SCMP_SYS(mremap),        SCMP_SYS(madvise),
	SCMP_SYS(futex),         SCMP_SYS(sched_yield),   SCMP_SYS(nanosleep),     SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),  SCMP_SYS(time),          SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid),       SCMP_SYS(gettid),
	SCMP_SYS(exit),          SCMP_SYS(exit_group),
};

/* Refused rather than fatal: the C library asks these in passing and takes no for an answer. */
static const int refused[] = {
	SCMP_SYS(ioctl), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(getrandom), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu),
};

static int
add_rules(scmp_filter_ctx filter)
{
	int rc;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if ((rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0)) != 0)
			return rc;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if ((rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0)) != 0)
			return rc;
	/* Memory that is never code: what a record smuggles in as data stays data. */
	if ((rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
							   SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS))) != 0)
		return rc;
	/* abort() signals its own process, and nobody else's. */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
							SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) getpid()));
}

int
bough_seccomp_confine(char *error, size_t error_size)
{
	scmp_filter_ctx filter;
	int rc;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
	{
		snprintf(error, error_size, "could not give up privileges: %s", strerror(errno));
		return -1;
	}
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
	{
		snprintf(error, error_size, "could not set up a system call filter: out of memory");
		return -1;
	}
	rc = add_rules(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc != 0)
	{
		snprintf(error, error_size, "could not install the system call filter: %s", strerror(-rc));
		return -1;
	}
	return 0;
}
