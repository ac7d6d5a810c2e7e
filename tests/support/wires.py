"""A fault proxy for Unix sockets: between hosts that see each other only through it, every wire can be cut, stalled in one direction or
both, or slowed.

Host `a` reaches the socket `name` of host `b` at `views/a/b/name`, where the proxy listens; b itself listens at `views/b/b/name`."""
import asyncio
import os
import pathlib
import socket
import threading


class Wire:
    """What may pass between two hosts. `forward` is from the one that connected. Changed on the proxy's thread only."""

    def __init__(self):
        self.cut = False
        self.stalled = set()  # of "forward", "backward"
        self.delay = 0.0      # seconds for each piece
        self.changed = asyncio.Event()
        self.transports = set()


class Wires:
    def __init__(self, views):
        self.views = pathlib.Path(views)
        self._wires = {}   # (from, to) -> Wire
        self._listening = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="wires")
        self._thread.start()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    # --- laying

    def lay(self, source, target, name):
        """From now on `source` reaches the socket `name` of `target`, when somebody listens there."""
        if (source, target, name) not in self._listening:
            self._listening.add((source, target, name))
            self._call(self._listen(source, target, name))

    async def _listen(self, source, target, name):
        wire = self._wires.setdefault((source, target), Wire())
        upstream = self.views / target / target / name

        async def accept(reader, writer):
            await self._serve(wire, upstream, reader, writer)
        path = self.views / source / target / name
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        os.chmod(path, 0o666)
        await asyncio.start_unix_server(accept, sock=listener, backlog=128)

    async def _serve(self, wire, upstream, reader, writer):
        if wire.cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(upstream))
        except OSError:
            writer.transport.abort()
            return
        transports = {writer.transport, far_writer.transport}
        wire.transports |= transports
        try:
            await asyncio.gather(self._pump(wire, "forward", reader, far_writer), self._pump(wire, "backward", far_reader, writer))
        finally:
            wire.transports -= transports
            for transport in transports:
                transport.abort()

    async def _pump(self, wire, direction, reader, writer):
        try:
            while data := await reader.read(1 << 16):
                if wire.delay:
                    await asyncio.sleep(wire.delay)
                while direction in wire.stalled:
                    await wire.changed.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except (OSError, RuntimeError):
            # One side is gone: so must the other be.
            writer.transport.abort()
            reader._transport.abort()

    # --- faults

    def _of(self, one, other):
        """The wires between two hosts, with the name of the direction that goes from `one` to `other`."""
        found = []
        if (one, other) in self._wires:
            found.append((self._wires[one, other], "forward"))
        if (other, one) in self._wires:
            found.append((self._wires[other, one], "backward"))
        return found

    def cut(self, one, other):
        """Connections between the two break, new ones do not come about."""
        async def do():
            for wire, _ in self._of(one, other):
                wire.cut = True
                for transport in list(wire.transports):
                    transport.abort()
        self._call(do())

    def stall(self, one, other, both=True):
        """What `one` sends does not arrive at `other`, nor (if both) the other way round; nobody is told."""
        opposite = {"forward": "backward", "backward": "forward"}

        async def do():
            for wire, direction in self._of(one, other):
                wire.stalled |= {direction, opposite[direction]} if both else {direction}
        self._call(do())

    def slow(self, one, other, seconds):
        async def do():
            for wire, _ in self._of(one, other):
                wire.delay = seconds
        self._call(do())

    def heal(self):
        """Everything passes again; what was stalled arrives."""
        async def do():
            for wire in self._wires.values():
                wire.cut, wire.delay = False, 0.0
                wire.stalled.clear()
                wire.changed.set()
                wire.changed = asyncio.Event()
        self._call(do())

    def stop(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
