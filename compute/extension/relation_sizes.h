/* pg_relation_size() and its family, which look at files: right before a relation's local files exist too. */
#ifndef BOUGH_RELATION_SIZES_H
#define BOUGH_RELATION_SIZES_H

/* From _PG_init(). */
extern void bough_relation_sizes_install(void);

#endif
