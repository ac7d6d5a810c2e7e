/* The worker's conversation with the pageserver: requests in, replies out, in order. Many requests may come with one read and
 * many replies leave with one write; a reply waits only while there are whole requests left to answer.
 */
#include "postgres.h"

#include "redo_apply.h"
#include "redo_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/redo_worker.h"

#define INPUT_BYTES (1024 * 1024)       /* kept; more is allocated for a longer request, and given back */
#define OUTPUT_BYTES (256 * 1024)

typedef struct
{
	char *bytes;
	size_t size;
	size_t begin; /* of what is not answered yet */
	size_t end;   /* of what has been read */
} Input;

static Input input;
static char *output;
static size_t output_length;

static void
say_and_exit(const char *what)
{
	if (write(STDERR_FILENO, what, strlen(what)) < 0)
		_exit(3);
	_exit(2);
}

static void
flush_output(void)
{
	size_t sent = 0;

	while (sent < output_length)
	{
		ssize_t n = write(BOUGH_REDO_FD, output + sent, output_length - sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0); /* the pageserver went away */
		sent += n;
	}
	output_length = 0;
}

/* Makes room for a request of `length` bytes from input.begin on. */
static void
reserve_input(size_t length)
{
	size_t have = input.end - input.begin;

	if (length > input.size || (input.size > INPUT_BYTES && length <= INPUT_BYTES && have <= INPUT_BYTES))
	{
		size_t size = Max(length, INPUT_BYTES);
		char *bytes = malloc(size);

		if (bytes == NULL)
			say_and_exit("bough redo: out of memory for a request\n");
		memcpy(bytes, input.bytes + input.begin, have);
		free(input.bytes);
		input.bytes = bytes;
		input.size = size;
		input.begin = 0;
		input.end = have;
	}
	else if (input.begin + length > input.size || have == 0)
	{
		memmove(input.bytes, input.bytes + input.begin, have);
		input.begin = 0;
		input.end = have;
	}
}

static void
read_more(void)
{
	for (;;)
	{
		ssize_t n = read(BOUGH_REDO_FD, input.bytes + input.end, input.size - input.end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		input.end += n;
		return;
	}
}

/* The body of the next request, read as far as needed; flushes replies before it waits. */
static const char *
next_request(BoughRedoRequestHeader *header)
{
	size_t needed = sizeof(*header);
	const char *body;

	for (;;)
	{
		size_t have = input.end - input.begin;

		if (have >= sizeof(*header))
		{
			memcpy(header, input.bytes + input.begin, sizeof(*header));
			if (header->length > BOUGH_REDO_REQUEST_BYTES_MAX)
				bough_redo_protocol_error("impossible length");
			/* `length` counts what follows the header */
			needed = sizeof(*header) + (size_t) header->length;
			if (have >= needed)
				break;
		}
		flush_output();
		reserve_input(needed);
		read_more();
	}
	body = input.bytes + input.begin + sizeof(*header);
	input.begin += needed;
	return body;
}

void
bough_redo_loop_prepare(void)
{
	input.size = INPUT_BYTES;
	input.bytes = malloc(input.size);
	output = malloc(OUTPUT_BYTES);
	if (input.bytes == NULL || output == NULL)
		ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

void
bough_redo_loop(void)
{
	BoughRedoReady ready = {BOUGH_REDO_MAGIC, BOUGH_REDO_VERSION};

	memcpy(output, &ready, sizeof(ready));
	output_length = sizeof(ready);
	for (;;)
	{
		BoughRedoRequestHeader request;
		BoughRedoReplyHeader reply;
		uint32 length = 0;
		const char *body = next_request(&request);
		char *page;

		if (output_length + sizeof(reply) + BLCKSZ > OUTPUT_BYTES)
			flush_output();
		page = output + output_length + sizeof(reply);
		switch (request.verb)
		{
			case BOUGH_REDO_APPLY:
				reply.status = bough_redo_apply(body, request.length, page, &length);
				break;
			case BOUGH_REDO_MASK:
				reply.status = bough_redo_mask(body, request.length, page, &length);
				break;
			default:
				bough_redo_protocol_error("unknown verb");
		}
		reply.length = length;
		memcpy(output + output_length, &reply, sizeof(reply));
		output_length += sizeof(reply) + length;
	}
}
