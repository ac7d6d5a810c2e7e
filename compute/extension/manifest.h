/*
 * The manifest of the compute's base: which relation forks the branch had at the start LSN, and how long they were.
 *
 * Read-only and the same in every process: the postmaster maps it, its children inherit the mapping.
 */
#ifndef BOUGH_MANIFEST_H
#define BOUGH_MANIFEST_H

#include "pg_compat.h"
#include "proto/manifest.h"

#include "access/xlogdefs.h"

/* Maps bough/manifest below the data directory. FATAL if it is not a whole, well-formed manifest of `start_lsn`. */
extern void bough_manifest_open(XLogRecPtr start_lsn);

extern const BoughManifestHeader *bough_manifest_header(void);

/* All entries, sorted by (tablespace, database, relation, fork); the header has their number. */
extern const BoughManifestEntry *bough_manifest_entries(void);

/* The fork's entry, or NULL if the base does not have it. Cheap: answers are remembered per process. */
extern const BoughManifestEntry *bough_manifest_find(BoughRelFile relation, ForkNumber fork);

static inline uint32
bough_manifest_index(const BoughManifestEntry *entry)
{
	return (uint32) (entry - bough_manifest_entries());
}

static inline BoughRelFile
bough_manifest_relation(const BoughManifestEntry *entry)
{
	return (BoughRelFile)
	{
		.spcNode = entry->tablespace,.dbNode = entry->database,.relNode = entry->relation
	};
}

#endif
