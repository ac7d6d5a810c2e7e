/* The settings of a compute, as postgresql.conf gives them (README.md has the table). */
#ifndef BOUGH_SETTINGS_H
#define BOUGH_SETTINGS_H

#include "postgres.h"

#include "access/xlogdefs.h"

/* Fixed when the server starts. Text settings are never NULL. */
extern char *bough_pageserver;	/* "unix:/path" or "host:port"; empty: the library does nothing */
extern char *bough_token_file;	/* empty: no token is sent */
extern char *bough_project;
extern char *bough_branch;
extern XLogRecPtr bough_start_lsn;

extern int	bough_readahead;	/* blocks; at most this many are asked for at once */
extern int	bough_fetch_timeout;	/* ms; how long one read may wait for the pageserver */

/* Defines the settings. From _PG_init() while shared_preload_libraries is processed. */
extern void bough_settings_define(void);

#endif
