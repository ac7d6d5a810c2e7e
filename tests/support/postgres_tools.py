"""Postgres's own client programs, run against a server by its connection string."""
import subprocess

from .account import BINDIR, run_as_server


def pgbench(url, *arguments, timeout=600, check=True):
    return run_as_server([BINDIR / "pgbench", *arguments, url], timeout=timeout, check=check)


def pgbench_init(url, scale):
    return pgbench(url, "-i", "-q", "-s", scale)


def start_pgbench(url, *arguments):
    """pgbench in the background; the Popen."""
    from .account import as_server_user
    import os
    return subprocess.Popen([str(BINDIR / "pgbench"), *map(str, arguments), url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, cwd="/", env={**os.environ, "HOME": "/tmp"}, **as_server_user())


def dump_all(url):
    """pg_dumpall's text, less what is random in it (psql's \\restrict keys) and what it says of the moment."""
    text = run_as_server([BINDIR / "pg_dumpall", "--no-sync", "-d", url], timeout=1200).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict ", "\\unrestrict ")))


def dump(url):
    text = run_as_server([BINDIR / "pg_dump", "--no-sync", "-d", url], timeout=1200).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict ", "\\unrestrict ")))


def amcheck(url, *arguments, timeout=1800):
    """pg_amcheck over every database of the server, heap against indexes too: raises on any finding."""
    return run_as_server([BINDIR / "pg_amcheck", "--all", "--install-missing", "--heapallindexed", "--parent-check", "--rootdescend",
                          "--jobs=2", "--no-strict-names", f"--maintenance-db={url}", *arguments], timeout=timeout,
                         env=environment_of(url))


def environment_of(url):
    """PGHOST and so on of a connection string, for programs that connect to several databases."""
    import psycopg
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return {names[key]: str(value) for key, value in parts.items() if key in names}
