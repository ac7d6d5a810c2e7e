/* Writing to the executable's constant data, which the dynamic linker protects once it has relocated it. */
#ifndef BOUGH_CONSTANT_DATA_H
#define BOUGH_CONSTANT_DATA_H

#include "postgres.h"

/*
 * Copies `length` bytes to `target`, which lies in the main executable's data, and leaves the pages protected as they were. Only
 * while the process has one thread and no children (_PG_init() in the postmaster). False with *error set if it cannot.
 */
extern bool bough_constant_data_write(void *target, const void *source, size_t length, const char **error);

#endif
