/* The first frame of a connection to the page service: who asks, for which branch. */
#ifndef BOUGH_PAGE_HELLO_H
#define BOUGH_PAGE_HELLO_H

#include "postgres.h"

#include "proto/page_service.h"

#define BOUGH_PAGE_HELLO_BYTES_MAX (sizeof(BoughFrameHeader) + BOUGH_REQUEST_BODY_BYTES_MAX)

/* Writes the whole frame and returns its length. ERROR if the token cannot be read or a setting is too long. */
extern size_t bough_page_hello(char frame[BOUGH_PAGE_HELLO_BYTES_MAX]);

#endif
