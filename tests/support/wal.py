"""Where commits lie in the log, asked of the compute itself through Postgres's pg_walinspect."""
import datetime
import re


class Commit:
    def __init__(self, begin, end, time):
        self.begin, self.end, self.time = begin, end, time  # LSN texts of the record; an aware datetime

    def just_before(self):
        return self.time - datetime.timedelta(microseconds=1)


def stamp(moment, offset_hours=0):
    """RFC 3339, to the microsecond."""
    zone = datetime.timezone(datetime.timedelta(hours=offset_hours))
    text = moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.%f%z")
    return text[:-5] + ("Z" if offset_hours == 0 else f"{text[-5:-2]}:{text[-2:]}")


def commit_of(superuser, xid, since):
    """The commit record of transaction `xid`, which was written at or after LSN `since`. `superuser`: a connection."""
    superuser.execute("create extension if not exists pg_walinspect")
    superuser.execute("set timezone = 'UTC'")
    rows = superuser.execute(
        "select start_lsn::text, end_lsn::text, description from pg_get_wal_records_info_till_end_of_wal(%s) "
        "where resource_manager = 'Transaction' and record_type like 'COMMIT%%' and xid = %s", (since, str(xid))).fetchall()
    assert len(rows) == 1, rows
    begin, end, description = rows[0]
    found = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)(?: UTC|\+00)", description)
    assert found, description
    text = found.group(1) if "." in found.group(1) else found.group(1) + ".0"
    time = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc)
    return Commit(begin, end, time)


def run_and_find_commit(connection, superuser, statements):
    """Runs the statements in one transaction of `connection`: its Commit."""
    since = superuser.execute("select pg_current_wal_insert_lsn()::text").fetchone()[0]
    with connection.transaction():
        for statement in statements if isinstance(statements, (list, tuple)) else [statements]:
            connection.execute(statement)
        xid = connection.execute("select pg_current_xact_id()::xid::text").fetchone()[0]
    return commit_of(superuser, xid, since)
