/* Pageserver to redo worker (`postgres --single` with bough.so), over the socket that is the worker's file descriptor 3.
 * docs/protocols/redo_worker.md is the specification. Little-endian, packed. The worker answers requests in order; several
 * may be under way.
 */
#ifndef BOUGH_PROTO_REDO_WORKER_H
#define BOUGH_PROTO_REDO_WORKER_H

#include <stdint.h>

#include "proto/page_service.h"

#define BOUGH_REDO_FD 3
#define BOUGH_REDO_MAGIC 0x4F444552u /* "REDO" */
#define BOUGH_REDO_VERSION 1
#define BOUGH_REDO_REQUEST_BYTES_MAX (1u << 30) /* a longer request is garbage; Postgres's longest record is below it */
#define BOUGH_REDO_ERROR_BYTES_MAX 4096         /* a longer error text is cut */

#pragma pack(push, 1)

/* The worker sends this once, when it can take requests. */
typedef struct
{
    uint32_t magic;
    uint32_t version;
} BoughRedoReady;

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

enum BoughRedoApplyFlags
{
    BOUGH_REDO_BASE_PRESENT = 1,    /* a base page follows; without it the page begins as zeros */
    BOUGH_REDO_HINT_BITS_LOGGED = 2 /* the records' cluster has data checksums or wal_log_hints (XLogHintBitIsNeeded) */
};

typedef struct
{
    BoughPageTag tag;
    uint8_t flags; /* BoughRedoApplyFlags */
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

#ifdef __cplusplus
static_assert(sizeof(BoughRedoReady) == 8 && sizeof(BoughRedoRequestHeader) == 5 && sizeof(BoughRedoApply) == 22);
static_assert(sizeof(BoughRedoRecord) == 20 && sizeof(BoughRedoMask) == 5 && sizeof(BoughRedoReplyHeader) == 5);
#endif

#endif
