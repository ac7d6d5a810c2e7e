/* Pageserver to redo worker (`postgres --single` with bough.so), over the socket that is the worker's file descriptor 3.
 * docs/protocols/redo_worker.md is the specification. Little-endian, packed. The worker answers requests in order; several
 * may be under way.
 */
#ifndef BOUGH_PROTO_REDO_WORKER_H
#define BOUGH_PROTO_REDO_WORKER_H

#include <stdint.h>

#include "proto/page_service.h"

#define BOUGH_REDO_FD 3
#define BOUGH_REDO_READY 0x4F444552u /* the worker sends these four bytes once, when it can take requests */

#pragma pack(push, 1)

enum BoughRedoVerb
{
    BOUGH_REDO_APPLY = 1, /* BoughRedoApply, [base page], then record_count x (BoughRedoRecord, record bytes) -> page */
    BOUGH_REDO_MASK = 2   /* BoughRedoMask, page -> the page as rm_mask of that resource manager leaves it */
};

typedef struct
{
    uint32_t length; /* of all that follows */
    uint8_t verb;
} BoughRedoRequestHeader;

typedef struct
{
    BoughPageTag tag;
    uint8_t base_present; /* 0: the page begins as zeros */
    uint32_t record_count;
} BoughRedoApply;

typedef struct
{
    uint64_t start_lsn; /* Postgres: ReadRecPtr */
    uint64_t end_lsn;   /* Postgres: EndRecPtr, which becomes the page's LSN */
    uint32_t length;
} BoughRedoRecord;

typedef struct
{
    uint8_t resource_manager;
    uint32_t block;
} BoughRedoMask;

typedef struct
{
    uint32_t length; /* of what follows: a page, or an error text */
    uint8_t status;  /* 0: a page; 1: an error, the worker goes on with the next request */
} BoughRedoReplyHeader;

#pragma pack(pop)

#endif
