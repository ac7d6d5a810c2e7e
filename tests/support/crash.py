"""Writing with a ledger, killing, coming back, and checking that nothing acknowledged is lost."""
import subprocess
import time

from . import wait
from .ledger import SCHEMA, Ledger, check_state
from .postgres_tools import amcheck, pgbench_init, start_pgbench


class Survivor:
    """A system that is up, with pgbench's tables and a ledger on main."""

    def __init__(self, system, scale=1, clients=4):
        self.system, self.scale, self.clients = system, scale, clients
        self.must_have, self.may_have = set(), set()
        self.ledger, self._pgbench = None, None
        self._first_client = 0
        system.up()
        pgbench_init(system.url(), scale)
        system.sql(SCHEMA)

    def start_writing(self, reconnect=False, url=None):
        self.ledger = Ledger(url or self.system.url(), clients=self.clients, scale=self.scale, reconnect=reconnect)
        # Numbers continue over crashes, so that what an earlier round left unknown is never reused.
        for thread in self.ledger._threads:
            thread.client += self._first_client
        self._first_client += self.clients
        self.ledger.start()
        self._pgbench = start_pgbench(self.system.url(), "-n", "-c", 2, "-T", 3600)
        wait.until(lambda: self.ledger.count() >= 30, 60, "30 acknowledged transactions")

    def _stop_clients(self):
        self.ledger.stop()
        self._pgbench.terminate()
        try:
            self._pgbench.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._pgbench.kill()
            self._pgbench.communicate()
        self.must_have |= self.ledger.acknowledged()
        self.may_have |= self.ledger.possible()

    def kill_everything(self):
        """While clients write. Their memory is taken after the kill: a reply already received counts."""
        self.system.kill_everything()
        self._stop_clients()

    def stop_writing(self):
        self._stop_clients()

    def up(self):
        self.system.up()

    def write_then_kill_everything(self, seconds):
        self.start_writing()
        before = self.ledger.count()
        time.sleep(seconds)
        assert self.ledger.count() > before, "nothing was written before the kill"
        self.kill_everything()
        self.up()

    def check_connection(self, connection, must_have):
        return check_state(connection, must_have, self.may_have)

    def check(self):
        """On main's compute: all that was acknowledged, nothing that was not sent, sums agree."""
        assert len(self.must_have) > 30
        with self.system.connect() as connection:
            found, _ = check_state(connection, self.must_have, self.may_have)
        return found

    def check_indexes(self, branch="main"):
        amcheck(self.system.url(branch, superuser=True))
