/* The quorum's setting is in a file of Bough's; nothing may stand in front of it. */
#ifndef BOUGH_QUORUM_SETTING_H
#define BOUGH_QUORUM_SETTING_H

/* From _PG_init(). */
extern void bough_quorum_setting_protect(void);

#endif
