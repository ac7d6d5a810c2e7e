/* Applying WAL records to one page with Postgres's own redo routines.
 *
 * The page is put into a buffer, the records' redo routines run one after another as in crash recovery, and the page is copied
 * out. All other blocks of a record are "foreign": they read as a page whose LSN no record reaches, so redo leaves them alone.
 * Where redo writes to a foreign block all the same (it initialises one, or clears a visibility map bit), the block is made
 * foreign again after the record: it missed the records between, and redo must never see it half up to date.
 *
 * Buffers stay valid between requests, foreign ones as they are; the target becomes foreign when its request is over.
 */
#include "postgres.h"

#include "redo_apply.h"
#include "redo_smgr.h"

#include <unistd.h>

#include "access/ginxlog.h"
#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

static XLogReaderState *reader;
static ResourceOwner owner;
static MemoryContext request_context; /* emptied after each request */
static MemoryContext rmgr_context;    /* parent of what the resource managers keep */

/* Kept between requests; a longer record has a larger one for its request. */
#define DECODED_BYTES (256 * 1024)

static DecodedXLogRecord *decoded; /* reused for every record */
static size_t decoded_size;

/* A page to be masked, and room for the 15-bit offsets and lengths of damaged line pointers. */
static char mask_page[BLCKSZ * 9] pg_attribute_aligned(8);

/* Resource managers that change pages of relations and do nothing else in redo. */
static bool
rmgr_changes_pages_only(RmgrId id)
{
	switch (id)
	{
		case RM_XLOG_ID: /* full-page images; other records of it have no block */
		case RM_HEAP_ID:
		case RM_HEAP2_ID:
		case RM_BTREE_ID:
		case RM_HASH_ID:
		case RM_GIN_ID:
		case RM_GIST_ID:
		case RM_SEQ_ID:
		case RM_SPGIST_ID:
		case RM_BRIN_ID:
		case RM_GENERIC_ID:
			return true;
		default:
			return false;
	}
}

void
bough_redo_protocol_error(const char *what)
{
	static const char prefix[] = "bough redo: malformed request: ";

	if (write(STDERR_FILENO, prefix, sizeof(prefix) - 1) < 0 || write(STDERR_FILENO, what, strlen(what)) < 0 ||
		write(STDERR_FILENO, "\n", 1) < 0)
		_exit(3);
	_exit(2);
}

static void
reserve_decoded(size_t size)
{
	if (decoded != NULL)
		pfree(decoded);
	decoded = NULL; /* if the next fails */
	decoded_size = 0;
	decoded = MemoryContextAllocHuge(TopMemoryContext, size);
	decoded_size = size;
}

void
bough_redo_apply_start(void)
{
	MemoryContext old;

	SetProcessingMode(NormalProcessing);
	InRecovery = true;

	request_context = AllocSetContextCreate(TopMemoryContext, "bough redo request", ALLOCSET_DEFAULT_SIZES);
	rmgr_context = AllocSetContextCreate(TopMemoryContext, "bough redo resource managers", ALLOCSET_DEFAULT_SIZES);
	owner = ResourceOwnerCreate(NULL, "bough redo");
	CurrentResourceOwner = owner;

	old = MemoryContextSwitchTo(rmgr_context);
	for (int id = 0; id <= RM_MAX_BUILTIN_ID; id++)
		if (rmgr_changes_pages_only(id) && RmgrTable[id].rm_startup != NULL)
			RmgrTable[id].rm_startup();
	MemoryContextSwitchTo(old);

	reader = XLogReaderAllocate(DEFAULT_XLOG_SEG_SIZE, NULL, XL_ROUTINE(), NULL);
	if (reader == NULL)
		ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	reserve_decoded(DECODED_BYTES);
}

/* ---- foreign blocks */

static void
make_foreign(BufferDesc *buffer)
{
	Page page = (Page) BufferGetPage(BufferDescriptorGetBuffer(buffer));

	if (PageIsNew(page))
		memcpy(page, bough_redo_smgr_foreign_page(), BLCKSZ);
	else
		PageSetLSN(page, BOUGH_REDO_LSN_MAX);
	/* Clean, so that its eviction is free. Nobody else looks at the header: plain read and write will do. */
	pg_atomic_write_u32(&buffer->state, pg_atomic_read_u32(&buffer->state) & ~(BM_DIRTY | BM_JUST_DIRTIED));
}

/* After each record: what it wrote to blocks other than the target. */
static void
make_written_foreign(const BufferTag *target)
{
	for (int i = 0; i < NBuffers; i++)
	{
		BufferDesc *buffer = GetBufferDescriptor(i);

		if ((pg_atomic_read_u32(&buffer->state) & BM_DIRTY) && !BUFFERTAGS_EQUAL(buffer->tag, *target))
			make_foreign(buffer);
	}
}

/* After an error: nothing of the buffer pool is trusted. */
static void
drop_all_buffers(void)
{
	for (int i = 0; i < NBuffers; i++)
	{
		BufferDesc *buffer = GetBufferDescriptor(i);

		if (pg_atomic_read_u32(&buffer->state) & BM_TAG_VALID)
		{
			SMgrRelation relation = smgropen(buffer->tag.rnode, InvalidBackendId);

			DropRelFileNodesAllBuffers(&relation, 1);
		}
	}
}

/* ---- one record */

static bool
decode(const char *bytes, const BoughRedoRecord *at, char **problem)
{
	XLogRecord header;
	size_t needed;

	if (at->length < SizeOfXLogRecord)
		return false;
	memcpy(&header, bytes, SizeOfXLogRecord);
	if (header.xl_tot_len != at->length)
		return false;
	needed = DecodeXLogRecordRequiredSpace(at->length);
	if (needed > decoded_size)
		reserve_decoded(Max(needed, decoded_size * 2));
	if (!DecodeXLogRecord(reader, decoded, (XLogRecord *) bytes, at->start_lsn, problem))
		return false;
	decoded->next_lsn = at->end_lsn;
	return true;
}

/* Records whose redo insists on restoring images of several blocks. */
static bool
redo_demands_images(void)
{
	uint8 info = decoded->header.xl_info & ~XLR_INFO_MASK;

	return decoded->header.xl_rmid == RM_XLOG_ID || (decoded->header.xl_rmid == RM_GIN_ID && info == XLOG_GIN_SPLIT);
}

/* Gives the image of the foreign page to each foreign block that has one or must have one: cheaper than decompressing it, and
 * the sender may have left it out. Returns whether the target is among the record's blocks. */
static bool
prepare_blocks(const BufferTag *target)
{
	bool found = false;
	bool demands_images = redo_demands_images();

	for (int i = 0; i <= decoded->max_block_id; i++)
	{
		DecodedBkpBlock *block = &decoded->blocks[i];

		if (!block->in_use)
			continue;
		if (block->blkno == target->blockNum && block->forknum == target->forkNum &&
			RelFileNodeEquals(block->rnode, target->rnode))
		{
			found = true;
			continue;
		}
		if (demands_images || (block->has_image && block->apply_image))
		{
			block->has_image = true;
			block->apply_image = true;
			block->bkp_image = (char *) bough_redo_smgr_foreign_page();
			block->hole_offset = 0;
			block->hole_length = 0;
			block->bimg_len = BLCKSZ;
			block->bimg_info = BKPIMAGE_APPLY;
		}
	}
	return found;
}

static void
apply_record(const char *bytes, const BoughRedoRecord *at, const BufferTag *target, bool hint_bits_logged)
{
	char *problem = NULL;

	if (!decode(bytes, at, &problem))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg_internal("invalid record: %s", problem ? problem : "wrong length")));
	if (!rmgr_changes_pages_only(decoded->header.xl_rmid))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg_internal("resource manager %u does not change pages", decoded->header.xl_rmid)));
	if (!prepare_blocks(target))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg_internal("the record does not refer to the page")));

	wal_log_hints = hint_bits_logged || (decoded->header.xl_info & BOUGH_REDO_INFO_HINT_BITS_LOGGED) != 0;
	reader->record = decoded;
	reader->ReadRecPtr = at->start_lsn;
	reader->EndRecPtr = at->end_lsn;
	RmgrTable[decoded->header.xl_rmid].rm_redo(reader);

	/* Redo found the target all zeros, where the record changes a page that is there. In recovery that is put down for a later
	 * drop or truncation to explain; here the page's history has a hole. */
	if (unlikely(XLogHaveInvalidPages()))
	{
		XLogDropRelation(target->rnode, target->forkNum);
		if (XLogHaveInvalidPages())
			ereport(PANIC, (errmsg_internal("a foreign block was found empty")));
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg_internal("the record changes a page that is still empty")));
	}
	make_written_foreign(target);
}

/* ---- a request */

typedef struct
{
	const char *at;
	const char *end;
} Input;

static const char *
take(Input *input, size_t length, const char *what)
{
	const char *taken = input->at;

	if ((size_t) (input->end - input->at) < length)
		bough_redo_protocol_error(what);
	input->at += length;
	return taken;
}

static void
load_page(const BufferTag *target, const char *base)
{
	Buffer buffer;

	bough_redo_smgr_set_target(target);
	buffer = ReadBufferWithoutRelcache(target->rnode, target->forkNum, target->blockNum, RBM_ZERO_AND_LOCK, NULL, true);
	if (base != NULL)
		memcpy(BufferGetPage(buffer), base, BLCKSZ);
	else
		memset(BufferGetPage(buffer), 0, BLCKSZ);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

static void
unload_page(const BufferTag *target, char *page)
{
	Buffer buffer = ReadBufferWithoutRelcache(target->rnode, target->forkNum, target->blockNum, RBM_NORMAL, NULL, true);

	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	make_foreign(GetBufferDescriptor(buffer - 1));
	ReleaseBuffer(buffer);
}

/* Back to a clean state after an ERROR, as an aborting transaction would. */
static void
clean_up_after_error(void)
{
	LWLockReleaseAll();
	AbortBufferIO();
	UnlockBuffers();
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, false, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, true);
	CurrentResourceOwner = owner;
	drop_all_buffers();
	/* Before the request's memory goes: smgr entries may be owned by relation descriptors in it. */
	smgrcloseall();
	for (MemoryContext child = rmgr_context->firstchild; child != NULL; child = child->nextchild)
		MemoryContextReset(child);
}

/* Puts the current error's text into `page`. */
static uint32
take_error(char *page, const BoughRedoRecord *at)
{
	ErrorData *error;
	uint32 length;

	MemoryContextSwitchTo(request_context);
	error = CopyErrorData();
	FlushErrorState();
	if (at != NULL && at->start_lsn != 0)
		length = snprintf(page, BOUGH_REDO_ERROR_BYTES_MAX, "record at %X/%X: %s", LSN_FORMAT_ARGS(at->start_lsn),
						  error->message ? error->message : "unknown error");
	else
		length = snprintf(page, BOUGH_REDO_ERROR_BYTES_MAX, "%s", error->message ? error->message : "unknown error");
	return Min(length, BOUGH_REDO_ERROR_BYTES_MAX - 1);
}

static void
read_apply_header(Input *input, BoughRedoApply *request, BufferTag *target)
{
	memcpy(request, take(input, sizeof(*request), "short apply request"), sizeof(*request));
	if (request->tag.fork > MAX_FORKNUM || request->tag.block == InvalidBlockNumber)
		bough_redo_protocol_error("no such page");
	if ((request->flags & ~(BOUGH_REDO_BASE_PRESENT | BOUGH_REDO_HINT_BITS_LOGGED)) != 0)
		bough_redo_protocol_error("unknown flag");

	memset(target, 0, sizeof(*target));
	target->rnode.spcNode = request->tag.tablespace;
	target->rnode.dbNode = request->tag.database;
	target->rnode.relNode = request->tag.relation;
	target->forkNum = request->tag.fork;
	target->blockNum = request->tag.block;
}

/* Leaves the record it is at in *at, for the error message; its start is 0 outside of records. */
static void
apply_body(const char *body, size_t body_length, BoughRedoRecord *at, char *page)
{
	Input input = {body, body + body_length};
	BoughRedoApply request;
	BufferTag target;
	const char *base = NULL;

	read_apply_header(&input, &request, &target);
	if (request.flags & BOUGH_REDO_BASE_PRESENT)
		base = take(&input, BLCKSZ, "short base page");

	load_page(&target, base);
	for (uint32 i = 0; i < request.record_count; i++)
	{
		const char *bytes;

		memcpy(at, take(&input, sizeof(*at), "short record header"), sizeof(*at));
		bytes = take(&input, BOUGH_REDO_ALIGNED((size_t) at->length), "short record");
		apply_record(bytes, at, &target, (request.flags & BOUGH_REDO_HINT_BITS_LOGGED) != 0);
	}
	at->start_lsn = 0;
	if (input.at != input.end)
		bough_redo_protocol_error("bytes after the last record");
	unload_page(&target, page);
}

uint8
bough_redo_apply(const char *body, size_t body_length, char *page, uint32 *length)
{
	BoughRedoRecord at = {0};
	volatile uint8 status = 0;

	StaticAssertStmt(BOUGH_PAGE_BYTES == BLCKSZ, "the protocol's page is Postgres's");
	StaticAssertStmt(BOUGH_REDO_ERROR_BYTES_MAX <= BLCKSZ, "an error text fits where a page does");

	MemoryContextSwitchTo(request_context);
	PG_TRY();
	{
		apply_body(body, body_length, &at, page);
		*length = BLCKSZ;
	}
	PG_CATCH();
	{
		*length = take_error(page, &at);
		clean_up_after_error();
		status = 1;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(request_context);
	bough_redo_smgr_trim();
	if (decoded_size != DECODED_BYTES)
		reserve_decoded(DECODED_BYTES);
	return status;
}

uint8
bough_redo_mask(const char *body, size_t body_length, char *page, uint32 *length)
{
	BoughRedoMask request;
	volatile uint8 status = 0;

	if (body_length != sizeof(request) + BLCKSZ)
		bough_redo_protocol_error("mask request of wrong length");
	memcpy(&request, body, sizeof(request));
	memset(mask_page, 0, sizeof(mask_page));
	memcpy(mask_page, body + sizeof(request), BLCKSZ);

	MemoryContextSwitchTo(request_context);
	PG_TRY();
	{
		RmgrId id = request.resource_manager;

		if (id > RM_MAX_BUILTIN_ID || RmgrTable[id].rm_mask == NULL)
			ereport(ERROR, (errmsg_internal("resource manager %u has no mask", id)));
		RmgrTable[id].rm_mask(mask_page, request.block);
		memcpy(page, mask_page, BLCKSZ);
		*length = BLCKSZ;
	}
	PG_CATCH();
	{
		*length = take_error(page, NULL);
		clean_up_after_error();
		status = 1;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(request_context);
	return status;
}
