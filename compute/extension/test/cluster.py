"""A Postgres server for tests: initdb, start, stop, SQL. Everything runs as user postgres if the tests run as root."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import time

import psycopg2

BINDIR = os.environ.get('BOUGH_PG_BINDIR', '/usr/lib/postgresql/15/bin')
LIBRARY = os.environ.get('BOUGH_LIBRARY', str(pathlib.Path(__file__).parents[3] / 'build/release/bin/bough.so'))
ACCOUNT = 'postgres' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def run(arguments, check=True, **options):
    if os.geteuid() == 0:
        options.update(user=ACCOUNT, group=pwd.getpwnam(ACCOUNT).pw_gid, extra_groups=[])
    options.setdefault('cwd', '/')
    options.setdefault('env', {'LC_ALL': 'C.UTF-8', 'PATH': os.environ['PATH'], 'HOME': '/tmp'})
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f'{arguments[0]} failed ({done.returncode}):\n{done.stdout}\n{done.stderr}')
    return done


def make_directory(path):
    os.mkdir(path, 0o700)
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(path, account.pw_uid, account.pw_gid)
    return path


class Cluster:
    """A data directory and its server, on a Unix socket in `sockets`."""

    def __init__(self, directory, sockets, port):
        self.directory, self.sockets, self.port = directory, sockets, port
        self.settings = {}

    def initdb(self, *options):
        run([f'{BINDIR}/initdb', '-D', self.directory, '-A', 'trust', '-U', 'postgres', '--no-sync', *options])

    def start(self, check=True, **settings):
        settings = {**self.settings, **settings}
        options = ' '.join(f"-c {name}='{value}'" for name, value in settings.items())
        started = run([f'{BINDIR}/pg_ctl', '-D', self.directory, '-l', self.log_path, '-w', '-t', '60', 'start', '-o',
                       f"-k {self.sockets} -p {self.port} -c listen_addresses='' -c fsync=off {options}"], check=False)
        if check and started.returncode != 0:
            raise RuntimeError(f'server did not start:\n{self.log()}')
        return started.returncode == 0

    @property
    def log_path(self):
        return f'{self.directory}.log'

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def stop(self, mode='fast'):
        run([f'{BINDIR}/pg_ctl', '-D', self.directory, '-w', '-t', '120', '-m', mode, 'stop'])

    def is_running(self):
        return run([f'{BINDIR}/pg_ctl', '-D', self.directory, 'status'], check=False).returncode == 0

    def remove(self):
        if self.is_running():
            self.stop('immediate')
        shutil.rmtree(self.directory)

    def connect(self, database='postgres', **options):
        connection = psycopg2.connect(host=self.sockets, port=self.port, user='postgres', dbname=database, **options)
        if 'connection_factory' not in options:         # replication connections are in autocommit mode anyway
            connection.autocommit = True
        return connection

    def rows(self, sql, database='postgres', parameters=None):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def value(self, sql, database='postgres'):
        return self.rows(sql, database)[0][0]

    def program(self, name, *arguments, check=True, **options):
        return run([f'{BINDIR}/{name}', '-h', self.sockets, '-p', self.port, '-U', 'postgres', *arguments], check=check, **options)

    def dump(self):
        """Of everything; without the random keys that pg_dump guards its output with."""
        return re.sub(r'(?m)^\\(un)?restrict .*$', '', self.program('pg_dumpall').stdout)

    def check_indexes(self):
        """pg_amcheck of every database, heaps against indexes too."""
        self.program('pg_amcheck', '--all', '--heapallindexed')

    def wait_for_log(self, text, seconds=10):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if text in self.log():
                return
            time.sleep(0.05)
        raise AssertionError(f'"{text}" did not appear in the log:\n{self.log()[-3000:]}')
