#include "postgres.h"

#include "fetch.h"

#include "base_block.h"
#include "local_file.h"
#include "page_client.h"
#include "settings.h"
#include "statistics.h"

#include "common/relpath.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/latch.h"
#include "storage/md.h"
#include "utils/timestamp.h"

/* What may be under way before reading further ahead waits: a random read queues behind it. */
#define PAGES_UNDER_WAY_MAX 256
#define BULK_REQUESTS_UNDER_WAY 4

#define PAUSE_MILLISECONDS_FIRST 5
#define PAUSE_MILLISECONDS_MAX 1000

/* How long asking for a block that is not needed yet may try to connect. */
#define CONNECT_SOON_MILLISECONDS 200

/* One attempt to read, over however many connections. */
typedef struct
{
	const BoughManifestEntry *entry;
	BlockNumber block;			/* InvalidBlockNumber when the whole fork is wanted */
	TimestampTz begin;
	TimestampTz deadline;
	long		pause;			/* milliseconds before the next try */
	char	   *page;			/* where the block goes */
	bool		got;
} Attempt;

static BoughPageTag
tag_of(const BoughManifestEntry *entry, BlockNumber block)
{
	return (BoughPageTag)
	{
		.tablespace = entry->tablespace,
			.database = entry->database,
			.relation = entry->relation,
			.fork = entry->fork,
			.block = block
	};
}

static const BoughManifestEntry *
entry_of(const BoughPageTag *tag)
{
	BoughRelFile relation = {.spcNode = tag->tablespace,.dbNode = tag->database,.relNode = tag->relation};

	return bough_manifest_find(relation, tag->fork);
}

static void
extend_deadline(Attempt *attempt)
{
	attempt->begin = GetCurrentTimestamp();
	attempt->deadline = TimestampTzPlusMilliseconds(attempt->begin, bough_fetch_timeout);
	attempt->pause = PAUSE_MILLISECONDS_FIRST;
}

static void
fail(const BoughManifestEntry *entry, BlockNumber block, int sqlstate, const char *why, const char *hint)
{
	bough_count(BOUGH_COUNT_FAILURES, 1);
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not read block %u of fork \"%s\" of relation %s of branch \"%s\" from the pageserver: %s",
					block, forkNames[entry->fork], relpathperm(bough_manifest_relation(entry), MAIN_FORKNUM),
					bough_branch, why),
			 hint[0] != '\0' ? errhint("%s", hint) : 0));
}

static void
fail_too_late(const Attempt *attempt)
{
	BlockNumber block = attempt->block == InvalidBlockNumber ? 0 : attempt->block;

	fail(attempt->entry, block, ERRCODE_CONNECTION_FAILURE,
		 bough_page_client_trouble()[0] != '\0' ? bough_page_client_trouble() : "no answer in time",
		 psprintf("It was tried for %d ms (\"bough.fetch_timeout\").", bough_fetch_timeout));
}

/* Waits before trying again, longer each time. The latch is given back for whoever waits up the stack. */
static void
pause_attempt(Attempt *attempt)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = TimestampTzPlusMilliseconds(now, attempt->pause);
	bool		latch_taken = false;

	if (now >= attempt->deadline)
		fail_too_late(attempt);
	until = Min(until, attempt->deadline);
	attempt->pause = Min(attempt->pause * 2, PAUSE_MILLISECONDS_MAX);
	while ((now = GetCurrentTimestamp()) < until)
	{
		int			events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
									   TimestampDifferenceMilliseconds(now, until), PG_WAIT_EXTENSION);

		if (events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			latch_taken = true;
			CHECK_FOR_INTERRUPTS();
		}
	}
	if (latch_taken)
		SetLatch(MyLatch);
}

static void
connect_for(Attempt *attempt)
{
	if (bough_page_client_connected())
		return;
	while (!bough_page_client_connect(attempt->deadline))
		pause_attempt(attempt);
	bough_count(BOUGH_COUNT_CONNECTIONS, 1);
}

/* What Postgres itself asks of a page's header, without the checksum, which is not the pageserver's to keep. */
static bool
is_plausible(const char *page)
{
	PageHeader	header = (PageHeader) page;

	if (PageIsNew((Page) page))
	{
		const uint64 *word = (const uint64 *) page;

		for (size_t i = 0; i < BLCKSZ / sizeof(uint64); i++)
		{
			if (word[i] != 0)
				return false;
		}
		return true;
	}
	return (header->pd_flags & ~PD_VALID_FLAG_BITS) == 0 && header->pd_lower <= header->pd_upper &&
		header->pd_upper <= header->pd_special && header->pd_special <= BLCKSZ &&
		header->pd_special == MAXALIGN(header->pd_special) && PageGetPageSize((Page) page) == BLCKSZ;
}

/*
 * A block of the base that is absent here has not changed since this compute began, unless another compute writes the branch by now. Its
 * pages are not ours to read: they hold transactions that this compute knows nothing of, or knows under the same numbers as others.
 */
static bool
is_of_another_compute(const char *page)
{
	return !PageIsNew((Page) page) && PageGetLSN((Page) page) > bough_start_lsn;
}

/* A page came: of what is wanted or of something asked for earlier. */
static void
take_page(const BoughPageEvent *event, Attempt *attempt)
{
	const BoughManifestEntry *entry = entry_of(&event->tag);
	BlockNumber block = event->tag.block;
	bool		wanted = entry == attempt->entry && block == attempt->block;

	if (!is_plausible(event->page))
	{
		/* As Postgres does with a damaged page of its own files: an error, unless it was told to read it as zeros. */
		if (wanted && zero_damaged_pages)
		{
			memset(attempt->page, 0, BLCKSZ);
			attempt->got = true;
		}
		else if (wanted || (entry == attempt->entry && attempt->block == InvalidBlockNumber))
			fail(entry, block, ERRCODE_DATA_CORRUPTED, "invalid page", "");
		bough_count(BOUGH_COUNT_PAGES_DISCARDED, 1);
		return;
	}
	if (is_of_another_compute(event->page))
	{
		/*
		 * What was only asked for ahead may have been made anew here in shared buffers, without being read, and be in the log already:
		 * then whoever wants it will find it there, or present.
		 */
		bool		absent = bough_presence_absent_run(entry, block, 1) == 1;

		if (wanted && absent)
			fail(entry, block, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "another compute has taken over the branch",
				 "This one can commit nothing any more; connect to the branch again.");
		if (entry != attempt->entry || attempt->block != InvalidBlockNumber)
		{
			bough_count(BOUGH_COUNT_PAGES_DISCARDED, 1);
			return;
		}
	}
	PageSetChecksumInplace(event->page, block);
	if (bough_base_block_fill(entry, smgropen(bough_manifest_relation(entry), InvalidBackendId), block, event->page))
	{
		bough_count(BOUGH_COUNT_PAGES_FETCHED, 1);
		if (wanted)
		{
			memcpy(attempt->page, event->page, BLCKSZ);
			attempt->got = true;
		}
	}
	else
		bough_count(BOUGH_COUNT_PAGES_DISCARDED, 1);
}

/* The request that would bring what is wanted was refused. Returns if it is worth asking again. */
static void
take_refusal(const BoughPageEvent *event, Attempt *attempt, bool *one_block)
{
	if (bough_page_client_refusal_is_passing(event->sqlstate))
		pause_attempt(attempt);
	else if (event->count > 1 && !*one_block)
		*one_block = true;		/* perhaps only a neighbour cannot be had */
	else
		fail(attempt->entry, event->tag.block, event->sqlstate, event->message, event->hint);
}

static bool
request(const BoughManifestEntry *entry, BlockNumber first, BlockNumber count)
{
	BoughPageTag tag = tag_of(entry, first);

	if (!bough_page_client_request(&tag, count, bough_start_lsn))
		return false;
	bough_count(BOUGH_COUNT_REQUESTS, 1);
	return true;
}

static bool
expects(const BoughManifestEntry *entry, BlockNumber block)
{
	BoughPageTag tag = tag_of(entry, block);

	return bough_page_client_expects(&tag);
}

/*
 * Asks for a run of absent blocks that begins with the pass's current one. False if nothing was asked: the connection broke, or the
 * block is present by now.
 */
static bool
request_on_pass(BoughPass *pass, BlockNumber block, BlockNumber count)
{
	count = bough_presence_absent_run(pass->entry, block, count);
	if (count == 0 || !request(pass->entry, block, count))
		return false;
	pass->requested_until = block + count;
	bough_count(BOUGH_COUNT_READAHEAD_PAGES, count - 1);
	return true;
}

void
bough_fetch_ahead(BoughPass *pass)
{
	BlockNumber first = pass->requested_until;
	BlockNumber count;

	if (!bough_readahead_is_due(pass) || first >= pass->entry->blocks || !bough_page_client_connected() ||
		bough_page_client_requests_under_way() >= BOUGH_REQUESTS_UNDER_WAY_MAX / 2 ||
		bough_page_client_pages_under_way() + bough_readahead > PAGES_UNDER_WAY_MAX)
		return;
	count = bough_presence_absent_run(pass->entry, first, bough_readahead_widen(pass, first));
	if (count == 0 || expects(pass->entry, first))
		return;
	if (request(pass->entry, first, count))
	{
		pass->requested_until = first + count;
		bough_count(BOUGH_COUNT_READAHEAD_PAGES, count);
	}
}

void
bough_fetch_block(SMgrRelation relation, BoughPass *pass, BlockNumber block, char *page)
{
	const BoughManifestEntry *entry = pass->entry;
	Attempt		attempt = {.entry = entry,.block = block,.page = page};
	BlockNumber count = 0;
	bool		one_block = false;
	TimestampTz begin;

	extend_deadline(&attempt);
	begin = attempt.begin;
	while (!attempt.got)
	{
		BoughPageEvent event;

		/* Present meanwhile: another process filled it, or wrote it. Then the local file is right and a page on its way is not. */
		if (bough_presence_has(entry, block))
		{
			mdread(relation, (ForkNumber) entry->fork, block, page);
			break;
		}
		connect_for(&attempt);
		if (!expects(entry, block) && bough_page_client_requests_under_way() < BOUGH_REQUESTS_UNDER_WAY_MAX)
		{
			if (count == 0)
				count = bough_readahead_widen(pass, block);
			if (!request_on_pass(pass, block, one_block ? 1 : count))
				continue;
			/* Asked for nothing: it became present since we looked, and there is no reply to wait for. */
			if (!expects(entry, block))
				continue;
			bough_fetch_ahead(pass);
			if (!bough_page_client_connected())
				continue;
		}
		bough_page_client_receive(&event, attempt.deadline);
		switch (event.kind)
		{
			case BOUGH_PAGE_ARRIVED:
				take_page(&event, &attempt);
				break;
			case BOUGH_PAGE_REFUSED:
				if (entry_of(&event.tag) == entry && block >= event.tag.block && block - event.tag.block < event.count)
				{
					bough_readahead_narrow(pass);
					take_refusal(&event, &attempt, &one_block);
				}
				break;
			case BOUGH_PAGE_CONNECTION_LOST:
				pause_attempt(&attempt);
				break;
			case BOUGH_PAGE_TOO_LATE:
				bough_page_client_disconnect();
				fail(entry, block, ERRCODE_CONNECTION_FAILURE, "it did not answer in time",
					 psprintf("It was given %d ms (\"bough.fetch_timeout\").", bough_fetch_timeout));
				break;
		}
	}
	bough_count(BOUGH_COUNT_WAITS, 1);
	bough_count(BOUGH_COUNT_WAIT_MICROSECONDS, GetCurrentTimestamp() - begin);
}

void
bough_fetch_soon(const BoughManifestEntry *entry, BlockNumber block)
{
	BoughPass  *pass = bough_readahead_note(entry, block, true);

	if (bough_presence_has(entry, block) || expects(entry, block) ||
		bough_page_client_requests_under_way() >= BOUGH_REQUESTS_UNDER_WAY_MAX / 2 ||
		bough_page_client_pages_under_way() + bough_readahead > PAGES_UNDER_WAY_MAX)
		return;
	if (!bough_page_client_connected())
	{
		if (!bough_page_client_connect(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONNECT_SOON_MILLISECONDS)))
			return;
		bough_count(BOUGH_COUNT_CONNECTIONS, 1);
	}
	if (request_on_pass(pass, block, bough_readahead_widen(pass, block)))
		bough_count(BOUGH_COUNT_READAHEAD_PAGES, 1);
}

/* Asks for what is absent from *next on, as far as the bulk's limit goes. False if the connection broke. */
static bool
request_in_bulk(const BoughManifestEntry *entry, BlockNumber *next, bool one_block)
{
	while (*next < entry->blocks && bough_page_client_requests_under_way() < BULK_REQUESTS_UNDER_WAY)
	{
		BlockNumber count = bough_presence_absent_run(entry, *next, one_block ? 1 : BOUGH_PAGES_PER_REQUEST_MAX);

		if (count > 0 && !expects(entry, *next) && !request(entry, *next, count))
			return false;
		*next += Max(count, 1);
	}
	return true;
}

void
bough_fetch_fork(const BoughManifestEntry *entry)
{
	Attempt		attempt = {.entry = entry,.block = InvalidBlockNumber};
	BlockNumber next = 0;
	bool		one_block = false;

	bough_local_file_need(entry);
	extend_deadline(&attempt);
	while (!bough_presence_is_complete(entry))
	{
		BoughPageEvent event;

		CHECK_FOR_INTERRUPTS();
		connect_for(&attempt);
		if (!request_in_bulk(entry, &next, one_block))
			pause_attempt(&attempt);
		if (bough_page_client_pages_under_way() == 0)
		{
			next = 0;			/* all that was asked for came, or was lost: see what is still absent */
			continue;
		}
		bough_page_client_receive(&event, attempt.deadline);
		switch (event.kind)
		{
			case BOUGH_PAGE_ARRIVED:
				extend_deadline(&attempt);
				take_page(&event, &attempt);
				break;
			case BOUGH_PAGE_REFUSED:
				if (entry_of(&event.tag) == entry)
				{
					take_refusal(&event, &attempt, &one_block);
					next = 0;
				}
				break;
			case BOUGH_PAGE_CONNECTION_LOST:
				pause_attempt(&attempt);
				next = 0;
				break;
			case BOUGH_PAGE_TOO_LATE:
				bough_page_client_disconnect();
				fail_too_late(&attempt);
				break;
		}
	}
}
