/* When the walsenders that send safekeepers their WAL are woken. */
#ifndef BOUGH_SENDER_WAKEUPS_H
#define BOUGH_SENDER_WAKEUPS_H

/* bough.send_when_answered, of this connection. */
extern bool bough_send_when_answered;

/* From _PG_init(). */
extern void bough_sender_wakeups_install(void);

#endif
