/*
 * A non-blocking stream socket and waiting on it as a Postgres process must: for the socket, the latch, the postmaster's death and a
 * deadline, taking interrupts. The descriptor is closed on exec and counted in fd.c's budget.
 */
#ifndef BOUGH_PAGE_SOCKET_H
#define BOUGH_PAGE_SOCKET_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port.h"

struct WaitEventSet;

typedef struct
{
	pgsocket	fd;				/* PGINVALID_SOCKET when closed */
	struct WaitEventSet *wait_set;
	struct Latch *latch;		/* the one wait_set waits for */
} BoughPageSocket;

typedef enum
{
	BOUGH_SOCKET_READY,
	BOUGH_SOCKET_TOO_LATE,		/* the deadline passed */
	BOUGH_SOCKET_FAILED			/* errno, or EOF where errno is 0 */
} BoughSocketResult;

/*
 * Connects to "unix:/path" or "host:port". Returns NULL, or a text that says what failed, with the socket closed. May raise an
 * interrupt's error; then the caller's next open or close releases what is open.
 */
extern const char *bough_page_socket_open(BoughPageSocket *socket, const char *address, TimestampTz deadline);
extern void bough_page_socket_close(BoughPageSocket *socket);

/* Sends all of it without waiting, or fails: only for what fits into the socket's buffer. */
extern BoughSocketResult bough_page_socket_send(BoughPageSocket *socket, const void *data, size_t length);

/* Receives between 1 and `length` bytes, waiting for them. */
extern BoughSocketResult bough_page_socket_receive(BoughPageSocket *socket, void *data, size_t length, size_t *received,
												   TimestampTz deadline);

#endif
