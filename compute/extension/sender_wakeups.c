#include "postgres.h"

#include "sender_wakeups.h"

/* Spares the Kerberos headers; what follows has the same layout without them. */
#undef ENABLE_GSS
#include "access/xlog.h"
#include "libpq/auth.h"
#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/spin.h"

/* With more than that under way WAL is sent as it comes: it is no stream of small commits, and the receiver is better kept busy. */
#define UNANSWERED_BYTES_MAX (64 * 1024)

bool		bough_send_when_answered = false;

static ClientAuthentication_hook_type next_authentication_hook;
static const PQcommMethods *messages;
static PQcommMethods watched_messages;

/*
 * A backend that has written WAL sets the latch of every walsender that has one in WalSndCtl. While a receiver has not answered, waking
 * its walsender gains nothing: what is sent then waits in the socket until the receiver is done with what came before. So the latch is
 * taken from there meanwhile, and the answer, which wakes the walsender in any case, has it send all that has come. Signals, and
 * whoever else wakes a process by its own latch, still do.
 */
static void
set_wakeups(void)
{
	XLogRecPtr	sent;
	bool		unanswered;

	SpinLockAcquire(&MyWalSnd->mutex);
	sent = MyWalSnd->sentPtr;
	unanswered = MyWalSnd->state == WALSNDSTATE_STREAMING &&
		sent > MyWalSnd->flush && sent - MyWalSnd->flush <= UNANSWERED_BYTES_MAX;
	MyWalSnd->latch = unanswered ? NULL : MyLatch;
	SpinLockRelease(&MyWalSnd->mutex);

	/*
	 * Who wrote before the latch was back has not set it; who writes from now on does. While output is pending nothing more is sent anyway,
	 * and the walsender, which waits for room in the socket, comes by here again when it has sent it.
	 */
	if (!unanswered && !messages->is_send_pending() && GetFlushRecPtr(NULL) > sent)
		SetLatch(MyLatch);
}

/* A walsender that streams comes by here each time round: after it has taken answers and sent what there is, before it sleeps. */
static int
flush_and_set_wakeups(void)
{
	int			failed = messages->flush_if_writable();

	if (bough_send_when_answered && !failed && MyWalSnd != NULL)
		set_wakeups();
	return failed;
}

static void
watch_walsender(Port *port, int status)
{
	if (next_authentication_hook != NULL)
		next_authentication_hook(port, status);
	if (!am_walsender || am_db_walsender || status != STATUS_OK)
		return;
	messages = PqCommMethods;
	watched_messages = *messages;
	watched_messages.flush_if_writable = flush_and_set_wakeups;
	PqCommMethods = &watched_messages;
}

void
bough_sender_wakeups_install(void)
{
	next_authentication_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = watch_walsender;
}
