#include "postgres.h"

#include "page_hello.h"

#include "settings.h"

#include "storage/fd.h"

#define TOKEN_BYTES_MAX 2048
#define NAME_BYTES_MAX 512

StaticAssertDecl(sizeof(BoughHello) + TOKEN_BYTES_MAX + 2 * NAME_BYTES_MAX <= BOUGH_REQUEST_BODY_BYTES_MAX,
				 "every hello fits into a request");

/* The token without the white space after it; its length. */
static size_t
read_token(char *token)
{
	size_t		length;
	FILE	   *file;

	if (bough_token_file[0] == '\0')
		return 0;
	file = AllocateFile(bough_token_file, PG_BINARY_R);
	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open token file \"%s\": %m", bough_token_file)));
	length = fread(token, 1, TOKEN_BYTES_MAX, file);
	FreeFile(file);
	while (length > 0 && isspace((unsigned char) token[length - 1]))
		length--;
	return length;
}

static size_t
put_name(char *at, const char *name)
{
	size_t		length = strlen(name);

	if (length > NAME_BYTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"bough.project\" or \"bough.branch\" is too long")));
	memcpy(at, name, length);
	return length;
}

size_t
bough_page_hello(char frame[BOUGH_PAGE_HELLO_BYTES_MAX])
{
	BoughFrameHeader *header = (BoughFrameHeader *) frame;
	BoughHello *hello = (BoughHello *) (header + 1);
	char	   *at = (char *) (hello + 1);

	hello->magic = BOUGH_PAGE_SERVICE_MAGIC;
	hello->version = BOUGH_PAGE_SERVICE_VERSION;
	at += hello->token_length = read_token(at);
	at += hello->project_length = put_name(at, bough_project);
	at += hello->branch_length = put_name(at, bough_branch);
	header->type = BOUGH_FRAME_HELLO;
	header->length = at - (char *) hello;
	return at - frame;
}
