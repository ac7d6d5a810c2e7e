/* bough.so: makes a stock Postgres a compute of Bough, or one of its redo workers. */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "redo.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	const char *redo = getenv("BOUGH_REDO");

	if (redo != NULL && strcmp(redo, "1") == 0)
	{
		bough_redo_init();
		return;
	}
}
