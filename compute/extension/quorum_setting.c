#include "postgres.h"

#include "quorum_setting.h"

#include "nodes/parsenodes.h"
#include "tcop/utility.h"

static ProcessUtility_hook_type next_process_utility;

/*
 * postgresql.auto.conf is read after every other file, so what ALTER SYSTEM writes there would win over the quorum's file; and the
 * quorum cannot be on the command line, which wins over both, because it changes while the server runs.
 */
static void
process_utility(PlannedStmt *planned, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	if (IsA(planned->utilityStmt, AlterSystemStmt))
	{
		VariableSetStmt *setting = ((AlterSystemStmt *) planned->utilityStmt)->setstmt;

		if (setting->name != NULL && pg_strcasecmp(setting->name, "synchronous_standby_names") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
					 errmsg("parameter \"synchronous_standby_names\" cannot be changed"),
					 errdetail("It is the quorum of the branch's safekeepers."),
					 errhint("\"bough safekeeper\" changes the safekeepers.")));
	}
	if (next_process_utility != NULL)
		next_process_utility(planned, query, read_only_tree, context, parameters, environment, receiver, completion);
	else
		standard_ProcessUtility(planned, query, read_only_tree, context, parameters, environment, receiver, completion);
}

void
bough_quorum_setting_protect(void)
{
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
