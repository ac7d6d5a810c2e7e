/* The worker's conversation with the pageserver over BOUGH_REDO_FD. */
#ifndef BOUGH_REDO_LOOP_H
#define BOUGH_REDO_LOOP_H

#include "postgres.h"

/* Allocates what the loop needs before the sandbox closes. */
extern void bough_redo_loop_prepare(void);

/* Says ready, then answers requests until the other side closes; ends the process. */
extern void bough_redo_loop(void) pg_attribute_noreturn();

#endif
