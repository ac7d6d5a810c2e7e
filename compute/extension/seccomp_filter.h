/* The system calls that a redo worker may make once it has started: it computes on memory and talks over open descriptors. */
#ifndef BOUGH_SECCOMP_FILTER_H
#define BOUGH_SECCOMP_FILTER_H

#include <stddef.h>

/* Confines the calling process for the rest of its life; it must be single-threaded. Any system call outside the list kills it.
 * Returns 0, or -1 with a text in `error`: then nothing may be assumed about the process, and it should exit. */
int bough_seccomp_confine(char *error, size_t error_size);

#endif
