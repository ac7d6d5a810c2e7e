/* The worker's conversation with the pageserver: requests in, replies out, in order, in shared memory. A request is used where it
 * lies, and a page is written where the pageserver reads it; only a request that is longer than the ring is put together first.
 */
#include "postgres.h"

#include "redo_apply.h"
#include "redo_loop.h"
#include "redo_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/redo_worker.h"

static void
say_ready(void)
{
	BoughRedoReady ready = {BOUGH_REDO_MAGIC, BOUGH_REDO_VERSION};
	ssize_t n;

	do
		n = write(BOUGH_REDO_FD, &ready, sizeof(ready));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(ready))
		_exit(0); /* the pageserver went away */
}

/* The body of a request that does not fit into the ring. */
static char *
collect(size_t length)
{
	static const char no_memory[] = "bough redo: out of memory for a request\n";
	char *body = malloc(length);

	if (body == NULL)
		_exit(write(STDERR_FILENO, no_memory, sizeof(no_memory) - 1) < 0 ? 3 : 2);
	for (size_t have = 0; have < length;)
	{
		size_t bytes;
		const char *part = bough_redo_memory_some_request(length - have, &bytes);

		memcpy(body + have, part, bytes);
		bough_redo_memory_read(bytes);
		have += bytes;
	}
	return body;
}

/* Makes the reply in place; returns its length. It is not sent yet. */
static size_t
answer(uint8 verb, const char *body, size_t length)
{
	char *room = bough_redo_memory_reply(sizeof(BoughRedoReplyHeader) + BLCKSZ);
	BoughRedoReplyHeader reply = {0};
	uint32 reply_length = 0;

	switch (verb)
	{
		case BOUGH_REDO_APPLY:
			reply.status = bough_redo_apply(body, length, room + sizeof(reply), &reply_length);
			break;
		case BOUGH_REDO_MASK:
			reply.status = bough_redo_mask(body, length, room + sizeof(reply), &reply_length);
			break;
		default:
			bough_redo_protocol_error("unknown verb");
	}
	reply.length = reply_length;
	memcpy(room, &reply, sizeof(reply));
	return sizeof(reply) + BOUGH_REDO_ALIGNED(reply_length);
}

/* One request. Its room is given back before its reply is sent: who has all replies has all the room. */
static void
serve(void)
{
	BoughRedoRequestHeader request;
	size_t whole, reply;

	memcpy(&request, bough_redo_memory_request(sizeof(request)), sizeof(request));
	if (request.length > BOUGH_REDO_REQUEST_BYTES_MAX || request.length % 8 != 0)
		bough_redo_protocol_error("impossible length");
	whole = sizeof(request) + (size_t) request.length;
	if (whole <= BOUGH_REDO_REQUEST_RING_BYTES)
	{
		reply = answer(request.verb, bough_redo_memory_request(whole) + sizeof(request), request.length);
		bough_redo_memory_read(whole);
	}
	else
	{
		char *body;

		bough_redo_memory_read(sizeof(request));
		body = collect(request.length);
		reply = answer(request.verb, body, request.length);
		free(body);
	}
	bough_redo_memory_written(reply);
}

void
bough_redo_loop(void)
{
	say_ready();
	for (;;)
		serve();
}
