/* Back-pressure: who writes much WAL waits while the safekeepers are far behind. */
#ifndef BOUGH_BACK_PRESSURE_H
#define BOUGH_BACK_PRESSURE_H

#include "postgres.h"

#include "executor/instrument.h"

/* A backend looks at how far behind they are each time it has written this much WAL. */
#define BOUGH_WAL_BETWEEN_LOOKS (1024 * 1024)

/* How much this backend had written when it looked last. */
extern uint64 bough_wal_at_last_look;

/* Looks, and waits. Can be cancelled, except where interrupts are held off, as with a buffer locked: there it lasts a second at most. */
extern void bough_wait_for_safekeepers(void);

/* Wherever a backend that writes much WAL comes by, and an error may be raised. */
static inline void
bough_back_pressure(void)
{
	if (unlikely(pgWalUsage.wal_bytes - bough_wal_at_last_look >= BOUGH_WAL_BETWEEN_LOOKS))
		bough_wait_for_safekeepers();
}

#endif
