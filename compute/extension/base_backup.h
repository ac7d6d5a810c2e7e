/* A compute's files have holes, so a copy of them is not a backup: refuses BASE_BACKUP and pg_backup_start(). */
#ifndef BOUGH_BASE_BACKUP_H
#define BOUGH_BASE_BACKUP_H

/* From _PG_init(). */
extern void bough_base_backup_refuse(void);

#endif
