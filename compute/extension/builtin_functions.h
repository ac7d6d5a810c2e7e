/* Putting functions of our own in the place of Postgres's built-in SQL functions, in the exported table that fmgr calls them through. */
#ifndef BOUGH_BUILTIN_FUNCTIONS_H
#define BOUGH_BUILTIN_FUNCTIONS_H

#include "postgres.h"

#include "fmgr.h"

/* By its C name. `original` (if not NULL) is what it was. From _PG_init(); FATAL if there is no such function. */
extern void bough_builtin_function_replace(const char *name, PGFunction replacement, PGFunction *original);

#endif
