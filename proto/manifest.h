/* The manifest of a compute's base: every relation fork of the branch at the start LSN, with its length, and one number for each
 * of its blocks. Written by the pageserver into the basebackup as bough/manifest, mapped by the extension.
 * docs/formats/manifest.md is the specification. Little-endian.
 */
#ifndef BOUGH_PROTO_MANIFEST_H
#define BOUGH_PROTO_MANIFEST_H

#include <stdint.h>

#define BOUGH_MANIFEST_MAGIC 0x494E414D48474F42ull /* "BOGHMANI" */
#define BOUGH_MANIFEST_VERSION 1

typedef struct
{
    uint64_t magic;
    uint32_t version;
    uint32_t entry_count;
    uint64_t block_count; /* the sum of all entries' blocks; the presence bitmap has this many bits */
    uint64_t start_lsn;
    uint32_t crc32c; /* of the header with this field 0, then of all entries */
    uint32_t reserved;
} BoughManifestHeader;

/* Sorted by (tablespace, database, relation, fork). Forks with an init fork's data are not in it: they arrive as files. */
typedef struct
{
    uint32_t tablespace;
    uint32_t database;
    uint32_t relation;
    uint32_t fork;
    uint32_t blocks;
    uint32_t reserved;
    uint64_t first_block_number; /* this fork's block b has the number first_block_number + b */
} BoughManifestEntry;

#ifdef __cplusplus
static_assert(sizeof(BoughManifestHeader) == 40 && sizeof(BoughManifestEntry) == 32);
#endif

#endif
