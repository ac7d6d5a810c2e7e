#include "postgres.h"

#include "builtin_functions.h"

#include "constant_data.h"

#include "utils/fmgrtab.h"

void
bough_builtin_function_replace(const char *name, PGFunction replacement, PGFunction *original)
{
	const char *error = "this Postgres does not have it";
	bool		replaced = false;

	for (int i = 0; i < fmgr_nbuiltins; i++)
	{
		const FmgrBuiltin *function = &fmgr_builtins[i];

		if (strcmp(function->funcName, name) != 0)
			continue;
		if (original != NULL)
			*original = function->func;
		replaced = bough_constant_data_write(unconstify(PGFunction *, &function->func), &replacement,
											 sizeof(replacement), &error);
		if (!replaced)
			break;
	}
	if (!replaced)
		ereport(FATAL,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not replace the built-in function \"%s\": %s", name, error)));
}
