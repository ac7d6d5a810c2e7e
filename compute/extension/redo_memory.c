/* The memory that a redo worker shares with the pageserver.
 *
 * Two rings, each written by one side. Either ring is mapped twice, end to end, so that what wraps around lies in one piece. Who
 * has nothing to do looks at the other's position for some microseconds, as long as that has paid lately and the other runs on
 * another processor; then it says that it sleeps, looks once more, and reads the socket.
 */
#include "postgres.h"

#include "redo_memory.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "proto/redo_worker.h"
#include "storage/s_lock.h"

#define SPIN_NS_MAX 20000
#define LOOKS_PER_CLOCK_READ 16
/* Where spinning has not paid lately it is tried again once in so many waits. */
#define WAITS_PER_TRIAL 16

static const BoughRedoPositions *caller;
static BoughRedoPositions *worker;
static const char *requests;
static char *replies;
static uint64 spin_ns = SPIN_NS_MAX; /* halved each time it was in vain */
static uint32 waits;
static uint32 rung_for; /* the caller's sleep that we have already ended */

static void *
map(size_t offset, size_t size, int protection, void *at)
{
	void *mapped = mmap(at, size, protection, MAP_SHARED | MAP_POPULATE | (at != NULL ? MAP_FIXED : 0), BOUGH_REDO_MEMORY_FD,
						(off_t) offset);

	if (mapped == MAP_FAILED)
		ereport(FATAL, (errmsg("could not map the memory shared with the pageserver: %m")));
	return mapped;
}

static void *
map_twice(size_t offset, size_t size, int protection)
{
	char *room = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		ereport(FATAL, (errmsg("could not reserve addresses for shared memory: %m")));
	map(offset, size, protection, room);
	map(offset, size, protection, room + size);
	return room;
}

void
bough_redo_memory_map(void)
{
	caller = map(BOUGH_REDO_CALLER_OFFSET, BOUGH_REDO_POSITIONS_BYTES, PROT_READ, NULL);
	worker = map(BOUGH_REDO_WORKER_OFFSET, BOUGH_REDO_POSITIONS_BYTES, PROT_READ | PROT_WRITE, NULL);
	requests = map_twice(BOUGH_REDO_REQUESTS_OFFSET, BOUGH_REDO_REQUEST_RING_BYTES, PROT_READ);
	replies = map_twice(BOUGH_REDO_REPLIES_OFFSET, BOUGH_REDO_REPLY_RING_BYTES, PROT_READ | PROT_WRITE);
	close(BOUGH_REDO_MEMORY_FD);
}

static inline size_t
waiting_requests(void)
{
	return __atomic_load_n(&caller->written, __ATOMIC_ACQUIRE) - worker->read;
}

static inline size_t
reply_room(void)
{
	return BOUGH_REDO_REPLY_RING_BYTES - (worker->written - __atomic_load_n(&caller->read, __ATOMIC_ACQUIRE));
}

static uint64
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64) t.tv_sec * 1000000000 + (uint64) t.tv_nsec;
}

/* Wakes the caller if it sleeps: once for each time. */
static void
ring(void)
{
	uint32 sleep;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sleep = __atomic_load_n(&caller->sleep, __ATOMIC_RELAXED);
	if ((sleep & 1) == 0 || sleep == rung_for)
		return;
	rung_for = sleep;
	while (write(BOUGH_REDO_FD, "", 1) < 0)
		if (errno != EINTR)
			_exit(0); /* the pageserver went away */
}

static void
listen_for_bell(void)
{
	char bells[64];
	ssize_t n = read(BOUGH_REDO_FD, bells, sizeof(bells));

	if (n == 0 || (n < 0 && errno != EINTR))
		_exit(0);
}

static bool
spin_until(bool (*ready) (size_t), size_t bytes)
{
	uint64 begin = now_ns();
	int cpu = sched_getcpu();

	if (waits++ % WAITS_PER_TRIAL == 0)
		spin_ns = SPIN_NS_MAX;
	if (cpu >= 0)
		__atomic_store_n(&worker->cpu, (uint32) cpu, __ATOMIC_RELAXED);
	if ((uint32) cpu == __atomic_load_n(&caller->cpu, __ATOMIC_RELAXED))
		return false;
	do
	{
		for (int i = 0; i < LOOKS_PER_CLOCK_READ; i++)
		{
			if (ready(bytes))
			{
				spin_ns = SPIN_NS_MAX;
				return true;
			}
			SPIN_DELAY();
		}
	} while (now_ns() - begin < spin_ns);
	spin_ns /= 2;
	return false;
}

static void
wait_until(bool (*ready) (size_t), size_t bytes)
{
	if (ready(bytes))
		return;
	ring();
	if (spin_until(ready, bytes))
		return;
	while (!ready(bytes))
	{
		__atomic_store_n(&worker->sleep, worker->sleep + 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!ready(bytes))
			listen_for_bell();
		__atomic_store_n(&worker->sleep, worker->sleep + 1, __ATOMIC_RELAXED);
	}
}

static bool
request_is_there(size_t bytes)
{
	return waiting_requests() >= bytes;
}

static bool
reply_fits(size_t bytes)
{
	return reply_room() >= bytes;
}

const char *
bough_redo_memory_request(size_t bytes)
{
	Assert(bytes <= BOUGH_REDO_REQUEST_RING_BYTES);
	wait_until(request_is_there, bytes);
	return requests + worker->read % BOUGH_REDO_REQUEST_RING_BYTES;
}

const char *
bough_redo_memory_some_request(size_t max, size_t *bytes)
{
	const char *at = bough_redo_memory_request(1);

	*bytes = Min(waiting_requests(), max);
	return at;
}

void
bough_redo_memory_read(size_t bytes)
{
	__atomic_store_n(&worker->read, worker->read + bytes, __ATOMIC_RELEASE);
}

char *
bough_redo_memory_reply(size_t bytes)
{
	Assert(bytes <= BOUGH_REDO_REPLY_RING_BYTES);
	wait_until(reply_fits, bytes);
	return replies + worker->written % BOUGH_REDO_REPLY_RING_BYTES;
}

void
bough_redo_memory_written(size_t bytes)
{
	__atomic_store_n(&worker->written, worker->written + bytes, __ATOMIC_RELEASE);
	/* One that sleeps is not woken for each of many replies. */
	if (reply_room() < BOUGH_REDO_REPLY_RING_BYTES / 2)
		ring();
}
