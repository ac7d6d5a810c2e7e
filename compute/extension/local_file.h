/*
 * The local files of the base's forks: made sparse at their full length when first needed, all segments at once, after which md
 * serves them like any other file.
 */
#ifndef BOUGH_LOCAL_FILE_H
#define BOUGH_LOCAL_FILE_H

#include "presence.h"

/* Makes the fork's files, in directories that are made too, unless that was done or the fork was dropped. ERROR if it cannot. */
extern void bough_local_file_make(const BoughManifestEntry *entry);

/* The usual case costs one load. */
static inline void
bough_local_file_need(const BoughManifestEntry *entry)
{
	if (unlikely(bough_presence_file_state(entry) == BOUGH_FILE_NOT_MADE))
		bough_local_file_make(entry);
}

/*
 * Makes the files of every fork in a tablespace and of a database; InvalidOid stands for any. Takes interrupts.
 */
extern void bough_local_file_make_all(Oid tablespace, Oid database);

/*
 * The fork is unlinked: from here on its name is plain md's, and nothing is fetched for it. Before md unlinks the files. Raises
 * nothing above WARNING. With `leave_marker`, a fork without a file gets an empty one, which is how md keeps a dropped relation's
 * number from being used again before the next checkpoint.
 */
extern void bough_local_file_drop(const BoughManifestEntry *entry, bool leave_marker);

#endif
