#include "postgres.h"

#include "pg_compat.h"

#include <dlfcn.h>

#include "storage/md.h"

typedef void (*TruncateWithOldLength) (SMgrRelation, ForkNumber, BlockNumber, BlockNumber);
typedef void (*TruncateToLength) (SMgrRelation, ForkNumber, BlockNumber);

bool
bough_pg_truncate_has_old_length(void)
{
	static int	known = -1;

	if (known < 0)
		known = dlsym(RTLD_DEFAULT, "smgrtruncate2") != NULL;
	return known == 1;
}

void
bough_pg_mdtruncate(SMgrRelation relation, ForkNumber fork, BlockNumber old_length, BlockNumber length)
{
	void	   *function = (void *) mdtruncate;

	if (bough_pg_truncate_has_old_length())
		((TruncateWithOldLength) function) (relation, fork, old_length, length);
	else
		((TruncateToLength) function) (relation, fork, length);
}
