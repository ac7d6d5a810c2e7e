/* Commands that look at or copy a database's files past the storage manager: they find them whole. */
#ifndef BOUGH_DATABASE_COMMANDS_H
#define BOUGH_DATABASE_COMMANDS_H

/* From _PG_init(). */
extern void bough_database_commands_install(void);

#endif
