/* The page service: how a compute reads pages from the pageserver. Read by C (the extension) and C++ (the pageserver).
 * docs/protocols/page_service.md is the specification; all integers are little-endian, structs are packed.
 *
 * Both sides send frames: a BoughFrameHeader, then `length` bytes of body. A frame that breaks the rules ends the connection.
 */
#ifndef BOUGH_PROTO_PAGE_SERVICE_H
#define BOUGH_PROTO_PAGE_SERVICE_H

#include <stdint.h>

#define BOUGH_PAGE_SERVICE_MAGIC 0x31484742u /* "BGH1" */
#define BOUGH_PAGE_SERVICE_VERSION 1
#define BOUGH_PAGE_BYTES 8192
#define BOUGH_PAGES_PER_REQUEST_MAX 128
#define BOUGH_REQUEST_BODY_BYTES_MAX 4096 /* a longer request frame is garbage */

#pragma pack(push, 1)

enum BoughFrameType
{
    BOUGH_FRAME_HELLO = 1,       /* client: BoughHello, then token, project, branch as bytes */
    BOUGH_FRAME_GET_PAGES = 2,   /* client: BoughGetPages */
    BOUGH_FRAME_HELLO_OK = 0x81, /* server: BoughHelloOk */
    BOUGH_FRAME_PAGES = 0x82,    /* server: BoughPages, then `count` pages of BOUGH_PAGE_BYTES */
    BOUGH_FRAME_ERROR = 0xFF     /* server: BoughServiceError, then message bytes, then hint bytes */
};

typedef struct
{
    uint32_t length; /* of the body */
    uint8_t type;    /* BoughFrameType */
} BoughFrameHeader;

typedef struct
{
    uint32_t magic;
    uint16_t version;
    uint16_t token_length; /* empty on a Unix socket */
    uint16_t project_length;
    uint16_t branch_length;
} BoughHello;

typedef struct
{
    uint16_t version;
    uint64_t branch_tag; /* stands for this branch in every reply of this connection */
} BoughHelloOk;

typedef struct
{
    uint32_t tablespace;
    uint32_t database;
    uint32_t relation;
    uint8_t fork;
    uint32_t block;
} BoughPageTag;

enum BoughReadMode
{
    BOUGH_READ_AT_LEAST = 0, /* the newest version the pageserver has, once it has ingested up to lsn */
    BOUGH_READ_EXACT = 1     /* the version as of lsn: changes of records that end at or before it */
};

typedef struct
{
    uint64_t request_id;
    uint64_t lsn;
    uint8_t mode;
    uint16_t count; /* blocks [tag.block, tag.block + count), 1 .. BOUGH_PAGES_PER_REQUEST_MAX */
    BoughPageTag tag;
} BoughGetPages;

/* Says which question it answers: the client compares every field with its request before it uses a byte of the pages.
 * A block at or beyond the relation's end at that LSN is answered with zeros. */
typedef struct
{
    uint64_t request_id;
    uint64_t branch_tag;
    uint64_t lsn; /* the LSN read at: the request's (EXACT), or the ingest LSN at or above it (AT_LEAST) */
    uint16_t count;
    BoughPageTag tag;
} BoughPages;

typedef struct
{
    uint64_t request_id; /* 0 when it answers no request in particular; the server then closes */
    char sqlstate[5];
    uint16_t message_length;
    uint16_t hint_length;
} BoughServiceError;

#pragma pack(pop)

#endif
