/* The memory that a redo worker shares with the pageserver, and the socket on which the two wake each other. */
#ifndef BOUGH_REDO_MEMORY_H
#define BOUGH_REDO_MEMORY_H

#include "postgres.h"

/* Maps the memory behind BOUGH_REDO_MEMORY_FD and closes the descriptor. What the pageserver writes is mapped for reading only.
 * Raises FATAL where that cannot be. */
extern void bough_redo_memory_map(void);

/* The next `bytes` bytes of requests, in place; waits for them, after waking a pageserver that waits for replies. At most
 * BOUGH_REDO_REQUEST_RING_BYTES. They stay until bough_redo_memory_read() says that they are done with. */
extern const char *bough_redo_memory_request(size_t bytes);
/* At least one byte and at most `max`. */
extern const char *bough_redo_memory_some_request(size_t max, size_t *bytes);
extern void bough_redo_memory_read(size_t bytes);

/* Room for a reply of `bytes` bytes; waits for it. The reply is sent by bough_redo_memory_written(). */
extern char *bough_redo_memory_reply(size_t bytes);
extern void bough_redo_memory_written(size_t bytes);

#endif
