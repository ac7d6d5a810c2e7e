#include "postgres.h"

#include "page_client.h"

#include "page_hello.h"
#include "page_socket.h"
#include "settings.h"

#include "access/xlogdefs.h"
#include "common/string.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Pages taken from the socket at once. */
#define PAGES_PER_RECEIVE 16
#define TEXT_BYTES_MAX 4096		/* a refusal's message and hint together */

StaticAssertDecl(BOUGH_PAGE_BYTES == BLCKSZ, "the page service's pages are Postgres's");

typedef enum
{
	RECEIVING_FRAME_HEADER,
	RECEIVING_HEAD,				/* the fixed part of a body */
	RECEIVING_TEXT,				/* what follows the fixed part of a refusal */
	RECEIVING_PAGES
} ReceiveStage;

static struct
{
	BoughPageSocket socket;
	bool		ready;			/* the pageserver has accepted the hello */
	uint64		branch_tag;
	uint64		last_request_id;
	BoughGetPages requests[BOUGH_REQUESTS_UNDER_WAY_MAX];	/* in the order in which they were sent */
	int			request_count;
	int			pages_under_way;

	/* What is being received. An interrupt may end a wait anywhere; the next call goes on from here. */
	ReceiveStage stage;
	size_t		have;			/* bytes of the stage so far */
	BoughFrameHeader frame;
	union
	{
		BoughHelloOk hello;
		BoughPages	pages;
		BoughServiceError refusal;
	}			head;
	BoughGetPages answered;		/* the request whose pages are being received */
	uint16		pages_delivered;
	uint16		pages_delivered_of_batch;
	char		text[TEXT_BYTES_MAX + 2];

	char	   *pages;			/* PAGES_PER_RECEIVE of them, aligned */
	char		trouble[512];
} client = {
	.socket = {.fd = PGINVALID_SOCKET}
};

bool
bough_page_client_connected(void)
{
	return client.ready;
}

const char *
bough_page_client_trouble(void)
{
	return client.trouble;
}

int
bough_page_client_requests_under_way(void)
{
	return client.request_count;
}

int
bough_page_client_pages_under_way(void)
{
	return client.pages_under_way;
}

void
bough_page_client_disconnect(void)
{
	bough_page_socket_close(&client.socket);
	client.ready = false;
	client.request_count = 0;
	client.pages_under_way = 0;
	client.stage = RECEIVING_FRAME_HEADER;
	client.have = 0;
}

bool
bough_page_client_refusal_is_passing(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_CONNECTION_EXCEPTION ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INSUFFICIENT_RESOURCES ||
		sqlstate == ERRCODE_ADMIN_SHUTDOWN || sqlstate == ERRCODE_CRASH_SHUTDOWN ||
		sqlstate == ERRCODE_CANNOT_CONNECT_NOW ||
		sqlstate == ERRCODE_QUERY_CANCELED;	/* it has not ingested enough yet */
}

static void
lost(const char *why)
{
	strlcpy(client.trouble, why, sizeof(client.trouble));
	bough_page_client_disconnect();
}

static void
protocol_violation(const char *what)
{
	bough_page_client_disconnect();
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("the pageserver's reply is not an answer to what was asked: %s", what),
			 errdetail("Branch \"%s\" of project \"%s\".", bough_branch, bough_project)));
}

/* True if `length` bytes of the stage are in `target`. Otherwise *result says why not. */
static bool
receive_stage(void *target, size_t length, TimestampTz deadline, BoughSocketResult *result)
{
	while (client.have < length)
	{
		size_t		received;

		*result = bough_page_socket_receive(&client.socket, (char *) target + client.have, length - client.have,
											&received, deadline);
		if (*result != BOUGH_SOCKET_READY)
			return false;
		client.have += received;
	}
	return true;
}

static void
next_stage(ReceiveStage stage)
{
	client.stage = stage;
	client.have = 0;
}

/* The fixed part of the body that a frame of this type has; 0 for a type that a server does not send. */
static size_t
head_length(uint8 type)
{
	switch (type)
	{
		case BOUGH_FRAME_HELLO_OK:
			return sizeof(BoughHelloOk);
		case BOUGH_FRAME_PAGES:
			return sizeof(BoughPages);
		case BOUGH_FRAME_ERROR:
			return sizeof(BoughServiceError);
		default:
			return 0;
	}
}

/* Receives a frame's header and the fixed part of its body, and checks the frame's length against both. */
static bool
receive_head(TimestampTz deadline, BoughSocketResult *result)
{
	if (client.stage == RECEIVING_FRAME_HEADER)
	{
		if (!receive_stage(&client.frame, sizeof(client.frame), deadline, result))
			return false;
		if (head_length(client.frame.type) == 0)
			protocol_violation("unknown kind of frame");
		if (client.frame.length < head_length(client.frame.type))
			protocol_violation("frame too short");
		next_stage(RECEIVING_HEAD);
	}
	return receive_stage(&client.head, head_length(client.frame.type), deadline, result);
}

/* Receives a refusal's texts, each ended by a zero byte in client.text, the hint after the message. */
static bool
receive_refusal_text(TimestampTz deadline, BoughSocketResult *result)
{
	const BoughServiceError *refusal = &client.head.refusal;
	size_t		length = (size_t) refusal->message_length + refusal->hint_length;

	if (client.frame.length != sizeof(BoughServiceError) + length)
		protocol_violation("an error frame of the wrong length");
	if (length > TEXT_BYTES_MAX)
		protocol_violation("an error frame that is too long");
	if (!receive_stage(client.text, length, deadline, result))
		return false;
	client.text[length] = '\0';
	memmove(client.text + refusal->message_length + 1, client.text + refusal->message_length, refusal->hint_length + 1);
	client.text[refusal->message_length] = '\0';
	pg_clean_ascii(client.text);
	pg_clean_ascii(client.text + refusal->message_length + 1);
	return true;
}

static const char *
refusal_hint(void)
{
	return client.text + client.head.refusal.message_length + 1;
}

/* Five digits or capital letters, or ours for a server that sends none. */
static int
refusal_sqlstate(void)
{
	const char *state = client.head.refusal.sqlstate;

	for (int i = 0; i < 5; i++)
	{
		if (!((state[i] >= '0' && state[i] <= '9') || (state[i] >= 'A' && state[i] <= 'Z')))
			return ERRCODE_IO_ERROR;
	}
	return MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
}

static void
socket_failed(const char *during)
{
	char		why[256];

	if (errno == 0)
		snprintf(why, sizeof(why), "%s: the pageserver closed the connection", during);
	else
		snprintf(why, sizeof(why), "%s: %m", during);
	lost(why);
}

/* True once the pageserver said welcome. */
static bool
receive_welcome(TimestampTz deadline)
{
	BoughSocketResult result = BOUGH_SOCKET_READY;

	if (receive_head(deadline, &result))
	{
		if (client.frame.type == BOUGH_FRAME_HELLO_OK)
		{
			if (client.frame.length != sizeof(BoughHelloOk))
				protocol_violation("a welcome of the wrong length");
			if (client.head.hello.version != BOUGH_PAGE_SERVICE_VERSION)
				protocol_violation("another version of the protocol");
			client.branch_tag = client.head.hello.branch_tag;
			next_stage(RECEIVING_FRAME_HEADER);
			return true;
		}
		if (client.frame.type != BOUGH_FRAME_ERROR)
			protocol_violation("no welcome");
		next_stage(RECEIVING_TEXT);
		if (receive_refusal_text(deadline, &result))
		{
			int			sqlstate = refusal_sqlstate();
			const char *hint = refusal_hint();

			lost(client.text);
			if (bough_page_client_refusal_is_passing(sqlstate))
				return false;
			ereport(ERROR,
					(errcode(sqlstate),
					 errmsg("the pageserver refused branch \"%s\" of project \"%s\": %s", bough_branch, bough_project,
							client.text),
					 hint[0] != '\0' ? errhint("%s", hint) : 0));
		}
	}
	if (result == BOUGH_SOCKET_FAILED)
		socket_failed("could not greet");
	else
		lost("the pageserver did not answer in time");
	return false;
}

bool
bough_page_client_connect(TimestampTz deadline)
{
	char		hello[BOUGH_PAGE_HELLO_BYTES_MAX];
	size_t		length;
	const char *failure;

	if (client.ready)
		return true;
	if (IsPostmasterEnvironment && !IsUnderPostmaster)
		elog(ERROR, "the postmaster does not talk to the pageserver");
	bough_page_client_disconnect();
	if (client.pages == NULL)
		client.pages = (char *) CACHELINEALIGN(MemoryContextAlloc(TopMemoryContext,
																   PAGES_PER_RECEIVE * BLCKSZ + PG_CACHE_LINE_SIZE));
	failure = bough_page_socket_open(&client.socket, bough_pageserver, deadline);
	if (failure != NULL)
	{
		lost(failure);
		return false;
	}
	length = bough_page_hello(hello);
	if (bough_page_socket_send(&client.socket, hello, length) != BOUGH_SOCKET_READY)
	{
		socket_failed("could not greet");
		return false;
	}
	client.ready = receive_welcome(deadline);
	if (client.ready)
		client.trouble[0] = '\0';
	return client.ready;
}

static bool
same_fork(const BoughPageTag *a, const BoughPageTag *b)
{
	return a->relation == b->relation && a->fork == b->fork && a->database == b->database && a->tablespace == b->tablespace;
}

static bool
covers(const BoughGetPages *request, const BoughPageTag *page, uint16 from)
{
	return same_fork(&request->tag, page) && page->block >= request->tag.block + from &&
		page->block - request->tag.block < request->count;
}

bool
bough_page_client_expects(const BoughPageTag *page)
{
	for (int i = 0; i < client.request_count; i++)
	{
		if (covers(&client.requests[i], page, 0))
			return true;
	}
	return client.stage == RECEIVING_PAGES && covers(&client.answered, page, client.pages_delivered);
}

bool
bough_page_client_request(const BoughPageTag *first, uint16 count, XLogRecPtr lsn)
{
	struct
	{
		BoughFrameHeader header;
		BoughGetPages body;
	}			frame;			/* both are packed */

	Assert(client.ready && count >= 1 && count <= BOUGH_PAGES_PER_REQUEST_MAX);
	if (client.request_count == BOUGH_REQUESTS_UNDER_WAY_MAX)
		return false;
	frame.header.length = sizeof(frame.body);
	frame.header.type = BOUGH_FRAME_GET_PAGES;
	frame.body.request_id = ++client.last_request_id;
	frame.body.lsn = lsn;
	frame.body.mode = BOUGH_READ_AT_LEAST;
	frame.body.count = count;
	frame.body.tag = *first;
	if (bough_page_socket_send(&client.socket, &frame, sizeof(frame)) != BOUGH_SOCKET_READY)
	{
		socket_failed("could not ask");
		return false;
	}
	client.requests[client.request_count++] = frame.body;
	client.pages_under_way += count;
	return true;
}

/* Takes the request with this id out of those under way. */
static bool
take_request(uint64 request_id, BoughGetPages *request)
{
	for (int i = 0; i < client.request_count; i++)
	{
		if (client.requests[i].request_id != request_id)
			continue;
		*request = client.requests[i];
		memmove(&client.requests[i], &client.requests[i + 1],
				(client.request_count - i - 1) * sizeof(client.requests[0]));
		client.request_count--;
		return true;
	}
	return false;
}

/* Everything that says which question the pages answer, before a byte of them is looked at. */
static void
check_pages_head(void)
{
	const BoughPages *reply = &client.head.pages;
	BoughGetPages request;

	if (!take_request(reply->request_id, &request))
		protocol_violation("unknown request");
	if (reply->branch_tag != client.branch_tag)
		protocol_violation("another branch");
	if (!same_fork(&reply->tag, &request.tag))
		protocol_violation("another relation");
	if (reply->tag.block != request.tag.block)
		protocol_violation("another block");
	if (reply->count != request.count)
		protocol_violation("another number of pages");
	if (reply->lsn < request.lsn)
		protocol_violation("an LSN before the one asked for");
	if (client.frame.length != sizeof(BoughPages) + (size_t) request.count * BLCKSZ)
		protocol_violation("pages of the wrong length");
	client.answered = request;
	client.pages_delivered = 0;
	client.pages_delivered_of_batch = 0;
}

/* Delivers the next page of the reply as soon as it is whole. */
static bool
receive_page(BoughPageEvent *event, TimestampTz deadline, BoughSocketResult *result)
{
	int			batch = Min(PAGES_PER_RECEIVE,
							client.answered.count - (client.pages_delivered - client.pages_delivered_of_batch));
	size_t		wanted = (size_t) (client.pages_delivered_of_batch + 1) * BLCKSZ;

	while (client.have < wanted)
	{
		size_t		received;

		*result = bough_page_socket_receive(&client.socket, client.pages + client.have,
											(size_t) batch * BLCKSZ - client.have, &received, deadline);
		if (*result != BOUGH_SOCKET_READY)
			return false;
		client.have += received;
	}
	event->kind = BOUGH_PAGE_ARRIVED;
	event->tag = client.answered.tag;
	event->tag.block += client.pages_delivered;
	event->count = 1;
	event->page = client.pages + wanted - BLCKSZ;

	client.pages_delivered++;
	client.pages_delivered_of_batch++;
	client.pages_under_way--;
	if (client.pages_delivered == client.answered.count)
		next_stage(RECEIVING_FRAME_HEADER);
	else if (client.pages_delivered_of_batch == batch)
	{
		client.have = 0;
		client.pages_delivered_of_batch = 0;
	}
	return true;
}

static void
deliver_refusal(BoughPageEvent *event)
{
	BoughGetPages request;
	int			sqlstate = refusal_sqlstate();
	const char *hint = refusal_hint();

	event->sqlstate = sqlstate;
	event->message = client.text;
	event->hint = hint;
	if (client.head.refusal.request_id == 0)
	{
		lost(client.text);
		if (!bough_page_client_refusal_is_passing(sqlstate))
			ereport(ERROR,
					(errcode(sqlstate),
					 errmsg("the pageserver ended the connection: %s", client.text),
					 hint[0] != '\0' ? errhint("%s", hint) : 0));
		event->kind = BOUGH_PAGE_CONNECTION_LOST;
		return;
	}
	if (!take_request(client.head.refusal.request_id, &request))
		protocol_violation("refusal of an unknown request");
	client.pages_under_way -= request.count;
	event->kind = BOUGH_PAGE_REFUSED;
	event->tag = request.tag;
	event->count = request.count;
	next_stage(RECEIVING_FRAME_HEADER);
}

void
bough_page_client_receive(BoughPageEvent *event, TimestampTz deadline)
{
	BoughSocketResult result = BOUGH_SOCKET_READY;

	if (client.pages_under_way == 0)
		elog(ERROR, "no page of the pageserver's is under way");
	memset(event, 0, sizeof(*event));
	if (client.stage <= RECEIVING_HEAD)
	{
		if (!receive_head(deadline, &result))
			goto failed;
		if (client.frame.type == BOUGH_FRAME_PAGES)
		{
			check_pages_head();
			next_stage(RECEIVING_PAGES);
		}
		else if (client.frame.type == BOUGH_FRAME_ERROR)
			next_stage(RECEIVING_TEXT);
		else
			protocol_violation("a second welcome");
	}
	if (client.stage == RECEIVING_PAGES)
	{
		if (receive_page(event, deadline, &result))
			return;
	}
	else if (receive_refusal_text(deadline, &result))
	{
		deliver_refusal(event);
		return;
	}

failed:
	if (result == BOUGH_SOCKET_FAILED)
	{
		socket_failed("could not read");
		event->kind = BOUGH_PAGE_CONNECTION_LOST;
	}
	else
		event->kind = BOUGH_PAGE_TOO_LATE;
}
