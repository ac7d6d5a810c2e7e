#include "postgres.h"

#include "database_commands.h"

#include "fetch.h"
#include "local_file.h"
#include "page_client.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_tablespace_d.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type next_process_utility;

static const char *
option_of(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/*
 * Locks the database of that name as the command itself will, so that it is the same one when it does, and nobody changes it in
 * between. InvalidOid if there is none.
 */
static Oid
lock_database(const char *name, LOCKMODE mode)
{
	for (;;)
	{
		Oid			database = get_database_oid(name, true);

		if (!OidIsValid(database))
			return InvalidOid;
		LockSharedObject(DatabaseRelationId, database, 0, mode);
		if (get_database_oid(name, true) == database)
			return database;
		UnlockSharedObject(DatabaseRelationId, database, 0, mode);
	}
}

static bool
get_database(Oid database, FormData_pg_database *form)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));

	if (!HeapTupleIsValid(tuple))
		return false;
	memcpy(form, GETSTRUCT(tuple), offsetof(FormData_pg_database, dattablespace) + sizeof(Oid));
	ReleaseSysCache(tuple);
	return true;
}

/* The command checks it again and says what is wrong. Here it only saves fetching a database for nothing. */
static bool
may_copy_database(Oid database)
{
	FormData_pg_database form;
	HeapTuple	role;
	bool		may_create = superuser();

	role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(role))
	{
		may_create = may_create || ((Form_pg_authid) GETSTRUCT(role))->rolcreatedb;
		ReleaseSysCache(role);
	}
	return may_create && get_database(database, &form) &&
		(form.datistemplate || pg_database_ownercheck(database, GetUserId()));
}

/* Fetches everything of a database that is still absent. What was asked for and did not come before an error is not waited for. */
static void
fetch_database(Oid database)
{
	const BoughManifestEntry *entries = bough_manifest_entries();

	PG_TRY();
	{
		for (uint32 i = 0; i < bough_manifest_header()->entry_count; i++)
		{
			if (entries[i].database == database)
				bough_fetch_fork(&entries[i]);
		}
	}
	PG_CATCH();
	{
		bough_page_client_disconnect();
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* CREATE DATABASE looks into the template's directories, and with FILE_COPY copies them. */
static void
before_create_database(const CreatedbStmt *statement)
{
	const char *name = option_of(statement->options, "template");
	const char *strategy = option_of(statement->options, "strategy");
	Oid			database = lock_database(name == NULL ? "template1" : name, ShareLock);

	if (!OidIsValid(database) || !may_copy_database(database))
		return;
	bough_local_file_make_all(InvalidOid, database);
	if (strategy != NULL && pg_strcasecmp(strategy, "file_copy") == 0)
		fetch_database(database);
}

/* ALTER DATABASE SET TABLESPACE copies the files that are in the database's own tablespace, then removes them. */
static Oid
before_move_database(const AlterDatabaseStmt *statement, const char *tablespace_name, Oid *old_tablespace)
{
	Oid			database = lock_database(statement->dbname, AccessExclusiveLock);
	FormData_pg_database form;

	if (!OidIsValid(database) || database == MyDatabaseId || !pg_database_ownercheck(database, GetUserId()) ||
		!get_database(database, &form) || get_tablespace_oid(tablespace_name, true) == form.dattablespace)
		return InvalidOid;
	*old_tablespace = form.dattablespace;
	bough_local_file_make_all(InvalidOid, database);
	fetch_database(database);
	return database;
}

/* The files went without the storage manager. `tablespace` InvalidOid is any. */
static void
drop_forks(Oid tablespace, Oid database)
{
	const BoughManifestEntry *entries = bough_manifest_entries();

	for (uint32 i = 0; i < bough_manifest_header()->entry_count; i++)
	{
		if (entries[i].database == database && (tablespace == InvalidOid || entries[i].tablespace == tablespace))
			bough_local_file_drop(&entries[i], false);
	}
}

/* Only an empty directory lets a tablespace be dropped, so what is in it has to be seen. */
static void
before_drop_tablespace(const DropTableSpaceStmt *statement)
{
	Oid			tablespace = get_tablespace_oid(statement->tablespacename, true);

	if (OidIsValid(tablespace) && tablespace != DEFAULTTABLESPACE_OID && tablespace != GLOBALTABLESPACE_OID)
		bough_local_file_make_all(tablespace, InvalidOid);
}

static void
process_utility(PlannedStmt *planned, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	Node	   *statement = planned->utilityStmt;
	Oid			dropped = InvalidOid;
	Oid			moved = InvalidOid;
	Oid			moved_from = InvalidOid;

	switch (nodeTag(statement))
	{
		case T_CreatedbStmt:
			PreventInTransactionBlock(context == PROCESS_UTILITY_TOPLEVEL, "CREATE DATABASE");
			before_create_database((CreatedbStmt *) statement);
			break;
		case T_AlterDatabaseStmt:
			{
				const char *tablespace = option_of(((AlterDatabaseStmt *) statement)->options, "tablespace");

				if (tablespace == NULL)
					break;
				PreventInTransactionBlock(context == PROCESS_UTILITY_TOPLEVEL, "ALTER DATABASE SET TABLESPACE");
				moved = before_move_database((AlterDatabaseStmt *) statement, tablespace, &moved_from);
				break;
			}
		case T_DropdbStmt:
			dropped = get_database_oid(((DropdbStmt *) statement)->dbname, true);
			break;
		case T_DropTableSpaceStmt:
			before_drop_tablespace((DropTableSpaceStmt *) statement);
			break;
		default:
			break;
	}

	if (next_process_utility != NULL)
		next_process_utility(planned, query, read_only_tree, context, parameters, environment, receiver, completion);
	else
		standard_ProcessUtility(planned, query, read_only_tree, context, parameters, environment, receiver, completion);

	if (OidIsValid(dropped))
		drop_forks(InvalidOid, dropped);
	if (OidIsValid(moved))
		drop_forks(moved_from, moved);
}

void
bough_database_commands_install(void)
{
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
