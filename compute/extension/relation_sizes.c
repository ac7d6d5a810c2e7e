#include "postgres.h"

#include "relation_sizes.h"

#include "builtin_functions.h"
#include "local_file.h"

#include "access/relation.h"
#include "catalog/pg_tablespace_d.h"
#include "commands/dbcommands.h"
#include "commands/tablespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/relcache.h"

static PGFunction original_relation_size;
static PGFunction original_table_size;
static PGFunction original_indexes_size;
static PGFunction original_total_relation_size;
static PGFunction original_database_size_oid;
static PGFunction original_database_size_name;
static PGFunction original_tablespace_size_oid;
static PGFunction original_tablespace_size_name;
static PGFunction original_tablespace_databases;

static void
make_files(Relation relation)
{
	for (ForkNumber fork = MAIN_FORKNUM; fork <= MAX_FORKNUM; fork++)
	{
		const BoughManifestEntry *entry = bough_manifest_find(relation->rd_node, fork);

		if (entry != NULL && relation->rd_backend == InvalidBackendId)
			bough_local_file_need(entry);
	}
}

static void
make_index_files(Relation relation)
{
	List	   *indexes;
	ListCell   *cell;

	if (!relation->rd_rel->relhasindex)
		return;
	indexes = RelationGetIndexList(relation);
	foreach(cell, indexes)
	{
		Relation	index = try_relation_open(lfirst_oid(cell), AccessShareLock);

		if (index == NULL)
			continue;
		make_files(index);
		relation_close(index, AccessShareLock);
	}
	list_free(indexes);
}

/* The files that any of the functions on one relation looks at. */
static void
make_files_of_relation(Oid relation_oid, bool with_indexes, bool with_toast)
{
	Relation	relation = try_relation_open(relation_oid, AccessShareLock);
	Oid			toast;

	if (relation == NULL)
		return;
	make_files(relation);
	if (with_indexes)
		make_index_files(relation);
	toast = relation->rd_rel->reltoastrelid;
	if (with_toast && OidIsValid(toast))
		make_files_of_relation(toast, true, false);
	relation_close(relation, AccessShareLock);
}

static Datum
relation_size(PG_FUNCTION_ARGS)
{
	make_files_of_relation(PG_GETARG_OID(0), false, false);
	return original_relation_size(fcinfo);
}

static Datum
table_size(PG_FUNCTION_ARGS)
{
	make_files_of_relation(PG_GETARG_OID(0), false, true);
	return original_table_size(fcinfo);
}

static Datum
indexes_size(PG_FUNCTION_ARGS)
{
	make_files_of_relation(PG_GETARG_OID(0), true, false);
	return original_indexes_size(fcinfo);
}

static Datum
total_relation_size(PG_FUNCTION_ARGS)
{
	make_files_of_relation(PG_GETARG_OID(0), true, true);
	return original_total_relation_size(fcinfo);
}

/* What the base has of a database or a tablespace (the other being InvalidOid) in forks without local files yet. */
static int64
bytes_without_file(Oid tablespace, Oid database)
{
	const BoughManifestEntry *entries = bough_manifest_entries();
	int64		blocks = 0;

	for (uint32 i = 0; i < bough_manifest_header()->entry_count; i++)
	{
		if ((tablespace == InvalidOid || entries[i].tablespace == tablespace) &&
			(database == InvalidOid || entries[i].database == database) &&
			bough_presence_file_state(&entries[i]) == BOUGH_FILE_NOT_MADE)
			blocks += entries[i].blocks;
	}
	return blocks * BLCKSZ;
}

static Datum
add_bytes(FunctionCallInfo fcinfo, Datum size, int64 bytes)
{
	if (fcinfo->isnull)
		return size;
	return Int64GetDatum(DatumGetInt64(size) + bytes);
}

static Datum
database_size_oid(PG_FUNCTION_ARGS)
{
	int64		bytes = bytes_without_file(InvalidOid, PG_GETARG_OID(0));

	return add_bytes(fcinfo, original_database_size_oid(fcinfo), bytes);
}

static Datum
database_size_name(PG_FUNCTION_ARGS)
{
	Oid			database = get_database_oid(NameStr(*PG_GETARG_NAME(0)), true);
	int64		bytes = OidIsValid(database) ? bytes_without_file(InvalidOid, database) : 0;

	return add_bytes(fcinfo, original_database_size_name(fcinfo), bytes);
}

/* A tablespace's own directories count too, so they are made. */
static void
make_directories(Oid tablespace)
{
	const BoughManifestEntry *entries = bough_manifest_entries();
	Oid			made = InvalidOid;

	for (uint32 i = 0; i < bough_manifest_header()->entry_count; i++)
	{
		if (entries[i].tablespace != tablespace || entries[i].database == made ||
			bough_presence_file_state(&entries[i]) != BOUGH_FILE_NOT_MADE)
			continue;
		made = entries[i].database;
		TablespaceCreateDbspace(tablespace, made, true);
	}
}

static Datum
tablespace_size_oid(PG_FUNCTION_ARGS)
{
	Oid			tablespace = PG_GETARG_OID(0);

	make_directories(tablespace);
	return add_bytes(fcinfo, original_tablespace_size_oid(fcinfo), bytes_without_file(tablespace, InvalidOid));
}

static Datum
tablespace_size_name(PG_FUNCTION_ARGS)
{
	Oid			tablespace = get_tablespace_oid(NameStr(*PG_GETARG_NAME(0)), true);

	if (!OidIsValid(tablespace))
		return original_tablespace_size_name(fcinfo);
	make_directories(tablespace);
	return add_bytes(fcinfo, original_tablespace_size_name(fcinfo), bytes_without_file(tablespace, InvalidOid));
}

/* Tells which databases have a file in the tablespace. */
static Datum
tablespace_databases(PG_FUNCTION_ARGS)
{
	bough_local_file_make_all(PG_GETARG_OID(0), InvalidOid);
	return original_tablespace_databases(fcinfo);
}

void
bough_relation_sizes_install(void)
{
	bough_builtin_function_replace("pg_relation_size", relation_size, &original_relation_size);
	bough_builtin_function_replace("pg_table_size", table_size, &original_table_size);
	bough_builtin_function_replace("pg_indexes_size", indexes_size, &original_indexes_size);
	bough_builtin_function_replace("pg_total_relation_size", total_relation_size, &original_total_relation_size);
	bough_builtin_function_replace("pg_database_size_oid", database_size_oid, &original_database_size_oid);
	bough_builtin_function_replace("pg_database_size_name", database_size_name, &original_database_size_name);
	bough_builtin_function_replace("pg_tablespace_size_oid", tablespace_size_oid, &original_tablespace_size_oid);
	bough_builtin_function_replace("pg_tablespace_size_name", tablespace_size_name, &original_tablespace_size_name);
	bough_builtin_function_replace("pg_tablespace_databases", tablespace_databases, &original_tablespace_databases);
}
