#include "postgres.h"

#include "settings.h"

#include "sender_wakeups.h"

#include <limits.h>

#include "proto/page_service.h"

#include "utils/guc.h"
#include "utils/pg_lsn.h"

char	   *bough_pageserver;
char	   *bough_token_file;
char	   *bough_project;
char	   *bough_branch;
XLogRecPtr	bough_start_lsn = InvalidXLogRecPtr;
int			bough_readahead = 64;
int			bough_fetch_timeout = 60 * 1000;

static char *start_lsn_text;
static int	term;				/* shown only: the safekeepers ask for it */

static bool
check_start_lsn(char **value, void **extra, GucSource source)
{
	bool		malformed = false;
	XLogRecPtr *lsn = malloc(sizeof(XLogRecPtr));

	(void) source;
	if (lsn == NULL)
		return false;
	*lsn = InvalidXLogRecPtr;
	if (**value != '\0')
		*lsn = pg_lsn_in_internal(*value, &malformed);
	if (malformed)
	{
		free(lsn);
		GUC_check_errdetail("A WAL position such as \"16/B374D848\" is expected.");
		return false;
	}
	*extra = lsn;
	return true;
}

static void
assign_start_lsn(const char *value, void *extra)
{
	(void) value;
	bough_start_lsn = *(XLogRecPtr *) extra;
}

static void
define_text(const char *name, const char *description, char **variable, int flags)
{
	DefineCustomStringVariable(name, description, NULL, variable, "", PGC_POSTMASTER, flags, NULL, NULL, NULL);
}

void
bough_settings_define(void)
{
	define_text("bough.pageserver", "Address of the pageserver: \"unix:/path\" or \"host:port\".", &bough_pageserver,
				GUC_SUPERUSER_ONLY);
	define_text("bough.token_file", "File that holds the token for the pageserver.", &bough_token_file, GUC_SUPERUSER_ONLY);
	define_text("bough.project", "Project that this compute belongs to.", &bough_project, 0);
	define_text("bough.branch", "Branch that this compute serves.", &bough_branch, 0);
	DefineCustomStringVariable("bough.start_lsn", "WAL position on the branch at which this compute began.", NULL,
							   &start_lsn_text, "", PGC_POSTMASTER, 0, check_start_lsn, assign_start_lsn, NULL);
	DefineCustomIntVariable("bough.term", "Term in which this compute writes its branch.",
							"A safekeeper that has promised another term takes no WAL from it.", &term, 0, 0, INT_MAX,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("bough.readahead", "Largest number of pages that one read asks the pageserver for.",
							"1 turns reading ahead off.", &bough_readahead, 64, 1, BOUGH_PAGES_PER_REQUEST_MAX,
							PGC_USERSET, GUC_UNIT_BLOCKS, NULL, NULL, NULL);
	DefineCustomIntVariable("bough.fetch_timeout", "Time that one read may wait for the pageserver before it fails.",
							"Covers reconnecting.", &bough_fetch_timeout, 60 * 1000, 100, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("bough.send_when_answered", "Sends a standby that has not answered yet no further small amounts of WAL.",
							 "For receivers that answer everything.", &bough_send_when_answered, false, PGC_BACKEND, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("bough");
}
