/*
 * The client side of the page service (proto/page_service.h): this process's one connection to the pageserver, and the requests
 * under way on it.
 *
 * Opened when first needed, never inherited over fork. Requests may be pipelined; a reply is compared, field by field, with the
 * request it claims to answer before any of its pages is handed out. Every wait takes interrupts where the caller's state allows
 * it, so any function that takes a deadline may raise; the connection stays usable if one does.
 */
#ifndef BOUGH_PAGE_CLIENT_H
#define BOUGH_PAGE_CLIENT_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "proto/page_service.h"

/* More requests than this are not sent before replies are taken: they fit into a socket's buffer, so sending never blocks. */
#define BOUGH_REQUESTS_UNDER_WAY_MAX 16

/*
 * False if there is no connection and none could be made just now; bough_page_client_trouble() says why. Worth trying again. ERROR
 * with the pageserver's own code if it does not want this compute.
 */
extern bool bough_page_client_connect(TimestampTz deadline);

/* Why the last connection could not be made or was lost; and whether there is one. */
extern const char *bough_page_client_trouble(void);
extern bool bough_page_client_connected(void);

/* Ends the connection and forgets what was asked on it. */
extern void bough_page_client_disconnect(void);

/*
 * Asks for blocks [first->block, first->block + count) as they are at `lsn` or later. False if the connection broke or the limit is
 * reached; nothing is under way then. Never waits.
 */
extern bool bough_page_client_request(const BoughPageTag *first, uint16 count, XLogRecPtr lsn);

/* True if a request that is under way will still bring that page. */
extern bool bough_page_client_expects(const BoughPageTag *page);

extern int	bough_page_client_requests_under_way(void);
extern int	bough_page_client_pages_under_way(void);

typedef enum
{
	BOUGH_PAGE_ARRIVED,			/* tag, page */
	BOUGH_PAGE_REFUSED,			/* tag, count: the request; sqlstate, message, hint: why */
	BOUGH_PAGE_CONNECTION_LOST, /* nothing is under way any more */
	BOUGH_PAGE_TOO_LATE			/* the deadline passed */
} BoughPageEventKind;

typedef struct
{
	BoughPageEventKind kind;
	BoughPageTag tag;
	uint16		count;
	char	   *page;			/* BLCKSZ bytes, aligned, the receiver's to change until the next call */
	int			sqlstate;		/* as ereport's errcode() takes it */
	const char *message;		/* both valid until the next call; hint may be empty */
	const char *hint;
} BoughPageEvent;

/*
 * Takes the next page or refusal of any request under way. ERROR, and no connection, if what comes is not an answer to what was
 * asked.
 */
extern void bough_page_client_receive(BoughPageEvent *event, TimestampTz deadline);

/* A refusal that may not be repeated if one asks again later: the pageserver is starting, stopping or too busy. */
extern bool bough_page_client_refusal_is_passing(int sqlstate);

#endif
