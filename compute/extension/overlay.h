/* The compute's storage manager: md, over local files that are made and filled from the branch's base when first needed. */
#ifndef BOUGH_OVERLAY_H
#define BOUGH_OVERLAY_H

#include "manifest.h"

/* Puts the overlay in the place of md. From _PG_init(), after bough_presence_open(). FATAL if this Postgres cannot take it. */
extern void bough_overlay_install(void);

/* The fork's entry while the base still stands behind it; NULL for what is plain md: new, temporary or dropped relations. */
extern const BoughManifestEntry *bough_overlay_entry(BoughRelFileBackend relation, ForkNumber fork);

#endif
