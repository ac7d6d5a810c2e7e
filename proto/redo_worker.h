/* Pageserver to redo worker (`postgres --single` with bough.so): two rings of bytes in memory that both have mapped, and a socket
 * that wakes whoever sleeps. docs/protocols/redo_worker.md is the specification. Little-endian, packed. The worker answers
 * requests in order; several may be under way.
 */
#ifndef BOUGH_PROTO_REDO_WORKER_H
#define BOUGH_PROTO_REDO_WORKER_H

#include <stdint.h>

#include "proto/page_service.h"

#define BOUGH_REDO_FD 3        /* the socket */
#define BOUGH_REDO_MEMORY_FD 4 /* the shared memory; the worker closes it once it has mapped it */
#define BOUGH_REDO_MAGIC 0x4F444552u /* "REDO" */
#define BOUGH_REDO_VERSION 2
#define BOUGH_REDO_REQUEST_BYTES_MAX (1u << 30) /* a longer request is garbage; Postgres's longest record is below it */
#define BOUGH_REDO_ERROR_BYTES_MAX 4096         /* a longer error text is cut */

/* ---- the memory: pageserver's positions, worker's positions, requests, replies */

#define BOUGH_REDO_POSITIONS_BYTES 4096u
#define BOUGH_REDO_REQUEST_RING_BYTES (1u << 20)
#define BOUGH_REDO_REPLY_RING_BYTES (1u << 18)
#define BOUGH_REDO_CALLER_OFFSET 0u
#define BOUGH_REDO_WORKER_OFFSET BOUGH_REDO_POSITIONS_BYTES
#define BOUGH_REDO_REQUESTS_OFFSET (2 * BOUGH_REDO_POSITIONS_BYTES)
#define BOUGH_REDO_REPLIES_OFFSET (BOUGH_REDO_REQUESTS_OFFSET + BOUGH_REDO_REQUEST_RING_BYTES)
#define BOUGH_REDO_MEMORY_BYTES (BOUGH_REDO_REPLIES_OFFSET + BOUGH_REDO_REPLY_RING_BYTES)

/* Each side writes its own positions and only reads the other's. Positions count bytes and never go back; the byte at position p
 * lies at p modulo the ring's length. All fields are read and written atomically.
 */
typedef struct
{
    uint64_t written; /* into the ring that this side writes */
    uint64_t read;    /* out of the other */
    uint32_t sleep;   /* odd while this side sleeps, until a byte comes over the socket; another number each time */
    uint32_t cpu;     /* where it ran last: spinning for somebody who needs this processor is no use */
} BoughRedoPositions;

/* Every message, and every part of a request, begins at a multiple of eight. */
#define BOUGH_REDO_ALIGNED(bytes) (((bytes) + 7u) & ~(uint64_t) 7u)

#pragma pack(push, 1)

/* The worker sends this over the socket once it can take requests. */
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
    uint32_t length; /* of all that follows, a multiple of eight */
    uint8_t verb;
    uint8_t unused[3];
} BoughRedoRequestHeader;

enum BoughRedoApplyFlags
{
    BOUGH_REDO_BASE_PRESENT = 1,    /* a base page follows; without it the page begins as zeros */
    BOUGH_REDO_HINT_BITS_LOGGED = 2 /* the records' cluster has data checksums or wal_log_hints (XLogHintBitIsNeeded) */
};

/* In the header of a record (xl_info), where Postgres has no use for it: what BOUGH_REDO_HINT_BITS_LOGGED says, for this record. */
#define BOUGH_REDO_INFO_HINT_BITS_LOGGED 0x04

typedef struct
{
    BoughPageTag tag;
    uint8_t flags; /* BoughRedoApplyFlags */
    uint32_t record_count;
    uint8_t unused[2];
} BoughRedoApply;

typedef struct
{
    uint64_t start_lsn; /* Postgres: ReadRecPtr */
    uint64_t end_lsn;   /* Postgres: EndRecPtr, which becomes the page's LSN */
    uint32_t length;    /* of the record that follows, before it is filled up to a multiple of eight */
    uint32_t unused;
} BoughRedoRecord;

typedef struct
{
    uint8_t resource_manager;
    uint8_t unused[3];
    uint32_t block;
} BoughRedoMask;

typedef struct
{
    uint32_t length; /* of what follows, before it is filled up: a page, or an error text */
    uint8_t status;  /* 0: a page; 1: an error, the worker goes on with the next request */
    uint8_t unused[3];
} BoughRedoReplyHeader;

#pragma pack(pop)

#ifdef __cplusplus
static_assert(sizeof(BoughRedoReady) == 8 && sizeof(BoughRedoRequestHeader) == 8 && sizeof(BoughRedoApply) == 24);
static_assert(sizeof(BoughRedoRecord) == 24 && sizeof(BoughRedoMask) == 8 && sizeof(BoughRedoReplyHeader) == 8);
static_assert(sizeof(BoughRedoPositions) == 24);
#endif

#endif
