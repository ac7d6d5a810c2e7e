"""The systems and stock servers of a benchmark: whatever becomes of it, nothing of them runs on and no files of theirs stay."""
from support.account import ScratchDirectory
from support.stock import StockPostgres
from support.system import BoughSystem


class Servers:
    def __init__(self, name):
        self.scratch, self._systems, self._stock = ScratchDirectory(name), [], []

    def bough(self):
        system = BoughSystem(self.scratch.make(f"b{len(self._systems)}"))
        self._systems.append(system)
        system.up()
        return system

    def stock(self, settings):
        server = StockPostgres(self.scratch.make(f"p{len(self._stock)}"), settings=settings)
        self._stock.append(server)
        return server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for system in self._systems:
            system.destroy()
        for server in self._stock:
            server.stop()
        self.scratch.remove()
