/* The worker's conversation with the pageserver. */
#ifndef BOUGH_REDO_LOOP_H
#define BOUGH_REDO_LOOP_H

#include "postgres.h"

/* Says ready over BOUGH_REDO_FD, then answers requests until the other side closes; ends the process. */
extern void bough_redo_loop(void) pg_attribute_noreturn();

#endif
