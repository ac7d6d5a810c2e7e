#include "postgres.h"

#include "page_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define POSITION_SOCKET 0
#define POSITION_LATCH 1

static char failure[256];

/* Postgres gives a process another latch when it enters and leaves shared memory; the set must follow. */
static void
follow_latch(BoughPageSocket *page_socket)
{
	if (page_socket->latch == MyLatch)
		return;
	ModifyWaitEvent(page_socket->wait_set, POSITION_LATCH, WL_LATCH_SET, MyLatch);
	page_socket->latch = MyLatch;
}

static void
make_wait_set(BoughPageSocket *page_socket)
{
	page_socket->wait_set = CreateWaitEventSet(TopMemoryContext, 3);
	AddWaitEventToSet(page_socket->wait_set, WL_SOCKET_READABLE, page_socket->fd, NULL, NULL);
	AddWaitEventToSet(page_socket->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(page_socket->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	page_socket->latch = MyLatch;
}

/*
 * Waits until the socket is ready for `what`. A set latch is taken, so that the wait can go on, and given back at the end: whoever is
 * up the stack may be waiting for it too.
 */
static BoughSocketResult
wait_for_socket(BoughPageSocket *page_socket, uint32 what, TimestampTz deadline)
{
	BoughSocketResult result = BOUGH_SOCKET_TOO_LATE;
	bool		latch_taken = false;

	follow_latch(page_socket);
	ModifyWaitEvent(page_socket->wait_set, POSITION_SOCKET, what, NULL);
	for (;;)
	{
		long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		WaitEvent	event;

		if (timeout <= 0)
			break;
		if (WaitEventSetWait(page_socket->wait_set, timeout, &event, 1, PG_WAIT_EXTENSION) == 0)
			continue;
		if (event.events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			latch_taken = true;
			CHECK_FOR_INTERRUPTS();
		}
		else if (event.events & what)
		{
			result = BOUGH_SOCKET_READY;
			break;
		}
	}
	if (latch_taken)
		SetLatch(MyLatch);
	return result;
}

static bool
start_connect(BoughPageSocket *page_socket, int family, const struct sockaddr *address, socklen_t length)
{
	if (!AcquireExternalFD())
	{
		strlcpy(failure, "too many files are open in this process", sizeof(failure));
		return false;
	}
	page_socket->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (page_socket->fd < 0)
	{
		ReleaseExternalFD();
		page_socket->fd = PGINVALID_SOCKET;
		snprintf(failure, sizeof(failure), "could not create a socket: %m");
		return false;
	}
	if (connect(page_socket->fd, address, length) != 0 && errno != EINPROGRESS)
	{
		snprintf(failure, sizeof(failure), "could not connect: %m");
		bough_page_socket_close(page_socket);
		return false;
	}
	return true;
}

static bool
start_connect_unix(BoughPageSocket *page_socket, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
	{
		strlcpy(failure, "the socket's path is too long", sizeof(failure));
		return false;
	}
	return start_connect(page_socket, AF_UNIX, (struct sockaddr *) &address, sizeof(address));
}

/* The first address that the name has is the one that is used. */
static bool
start_connect_tcp(BoughPageSocket *page_socket, const char *text)
{
	char		host[256];
	const char *colon = strrchr(text, ':');
	struct addrinfo hints = {.ai_family = AF_UNSPEC,.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	const char *begin = text;
	size_t		length;
	int			on = 1;
	int			error;
	bool		started;

	length = colon == NULL ? 0 : colon - text;
	if (length > 2 && text[0] == '[' && colon[-1] == ']')
	{
		begin++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(host))
	{
		strlcpy(failure, "the address is neither \"unix:/path\" nor \"host:port\"", sizeof(failure));
		return false;
	}
	memcpy(host, begin, length);
	host[length] = '\0';
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error != 0)
	{
		snprintf(failure, sizeof(failure), "could not look up its name: %s", gai_strerror(error));
		return false;
	}
	started = start_connect(page_socket, found->ai_family, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	if (started)
	{
		(void) setsockopt(page_socket->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void) setsockopt(page_socket->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	return started;
}

const char *
bough_page_socket_open(BoughPageSocket *page_socket, const char *address, TimestampTz deadline)
{
	bool		started;
	int			error = 0;
	socklen_t	length = sizeof(error);

	bough_page_socket_close(page_socket);
	if (strncmp(address, "unix:", 5) == 0)
		started = start_connect_unix(page_socket, address + 5);
	else
		started = start_connect_tcp(page_socket, address);
	if (!started)
		return failure;
	make_wait_set(page_socket);
	if (wait_for_socket(page_socket, WL_SOCKET_WRITEABLE, deadline) != BOUGH_SOCKET_READY)
	{
		bough_page_socket_close(page_socket);
		return "could not connect in time";
	}
	if (getsockopt(page_socket->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
	{
		errno = error;
		snprintf(failure, sizeof(failure), "could not connect: %m");
		bough_page_socket_close(page_socket);
		return failure;
	}
	return NULL;
}

void
bough_page_socket_close(BoughPageSocket *page_socket)
{
	if (page_socket->wait_set != NULL)
	{
		FreeWaitEventSet(page_socket->wait_set);
		page_socket->wait_set = NULL;
	}
	if (page_socket->fd != PGINVALID_SOCKET)
	{
		close(page_socket->fd);
		ReleaseExternalFD();
		page_socket->fd = PGINVALID_SOCKET;
	}
}

BoughSocketResult
bough_page_socket_send(BoughPageSocket *page_socket, const void *data, size_t length)
{
	ssize_t		sent;

	do
		sent = send(page_socket->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t) length)
		return BOUGH_SOCKET_READY;
	if (sent >= 0)
		errno = EAGAIN;
	return BOUGH_SOCKET_FAILED;
}

BoughSocketResult
bough_page_socket_receive(BoughPageSocket *page_socket, void *data, size_t length, size_t *received, TimestampTz deadline)
{
	for (;;)
	{
		ssize_t		count = recv(page_socket->fd, data, length, MSG_DONTWAIT);
		BoughSocketResult waited;

		if (count > 0)
		{
			*received = count;
			return BOUGH_SOCKET_READY;
		}
		if (count == 0)
			errno = 0;
		if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return BOUGH_SOCKET_FAILED;
		waited = wait_for_socket(page_socket, WL_SOCKET_READABLE, deadline);
		if (waited != BOUGH_SOCKET_READY)
			return waited;
	}
}

