/* Applying WAL records to one page with Postgres's own redo routines, and masking a page with its own mask routines. */
#ifndef BOUGH_REDO_APPLY_H
#define BOUGH_REDO_APPLY_H

#include "postgres.h"

#include "proto/redo_worker.h"

/* Once, after BaseInit(): puts the process in the state in which redo routines run. */
extern void bough_redo_apply_start(void);

/* Both answer one request: 0 with the page in `page`, or 1 with a text of *length bytes in `page` (at most
 * BOUGH_REDO_ERROR_BYTES_MAX). `body` is the request after its header; a body that breaks the protocol ends the process.
 * After either result nothing of the request is left in the process. */
extern uint8 bough_redo_apply(const char *body, size_t body_length, char *page, uint32 *length);
extern uint8 bough_redo_mask(const char *body, size_t body_length, char *page, uint32 *length);

/* Ends the process: what came in breaks the protocol. */
extern void bough_redo_protocol_error(const char *what) pg_attribute_noreturn();

#endif
