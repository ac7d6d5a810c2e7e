#include "postgres.h"

#include "base_backup.h"

#include "builtin_functions.h"

/* Spares the Kerberos headers; what follows has the same layout without them. */
#undef ENABLE_GSS
#include "libpq/auth.h"
#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"

static ClientAuthentication_hook_type next_authentication_hook;
static const PQcommMethods *messages;
static PQcommMethods watched_messages;

static void
refuse(int level)
{
	ereport(level,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot take a base backup of a compute"),
			 errdetail("Its files hold only the pages that were used since it started."),
			 errhint("Create a branch instead, or dump the database with pg_dump.")));
}

/*
 * A walsender that runs BASE_BACKUP says so in its state before it sends its first message. There is no hook for the command itself;
 * this is the last moment before the copy of the files begins.
 */
static int
put_message_unless_backup(char type, const char *data, size_t length)
{
	if (type != 'E' && type != 'N' && MyWalSnd != NULL && MyWalSnd->state == WALSNDSTATE_BACKUP)
		refuse(ERROR);
	return messages->putmessage(type, data, length);
}

static void
watch_walsender(Port *port, int status)
{
	if (next_authentication_hook != NULL)
		next_authentication_hook(port, status);
	if (!am_walsender || status != STATUS_OK)
		return;

	/* Ours stream WAL. Others that say no database can only be after files or WAL, which is the safekeepers' to give. */
	if (!am_db_walsender &&
		(port->application_name == NULL || strncmp(port->application_name, "bough", strlen("bough")) != 0))
		refuse(FATAL);

	messages = PqCommMethods;
	watched_messages = *messages;
	watched_messages.putmessage = put_message_unless_backup;
	PqCommMethods = &watched_messages;
}

static Datum
refuse_backup_start(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	refuse(ERROR);
	PG_RETURN_NULL();
}

void
bough_base_backup_refuse(void)
{
	next_authentication_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = watch_walsender;
	bough_builtin_function_replace("pg_backup_start", refuse_backup_start, NULL);
}
