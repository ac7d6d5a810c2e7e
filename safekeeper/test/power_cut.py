"""What a power cut could have left on disk, made from the log that tests/shims/storage_faults.c keeps of a process.

Everything that was synced stays. Of what was not, each change stays, is lost, or (writes) stays in part, by 512-byte sectors; a name that was
made, changed or removed counts as synced when its directory was."""
import os
import struct

ENTRY = struct.Struct("<c3xIQQQ")
SECTOR = 512


class _Change:
    def __init__(self, number, kind, path, offset, before_bytes, before, after):
        self.number, self.kind, self.path, self.offset = number, kind, path, offset
        self.before_bytes, self.before, self.after = before_bytes, before, after

    def synced_with(self):
        """The file whose sync makes this durable."""
        return self.path if self.kind in "WT" else os.path.dirname(self.path)

    def nameless(self):
        """Where the file of this creation waits while its name is taken back."""
        return f"{self.path}.nameless.{self.number}"


def _read(log):
    """(changes, syncs as (path, upto))"""
    with open(log, "rb") as file:
        data = file.read()
    at, number, changes, syncs = 0, 0, [], []
    while at + ENTRY.size <= len(data):
        kind, path_bytes, offset, before_bytes, after_bytes = ENTRY.unpack_from(data, at)
        kind = kind.decode()
        in_file = before_bytes if kind != "T" else 0
        if at + ENTRY.size + path_bytes + in_file + after_bytes > len(data):
            break  # killed while it was written: the call had not returned
        at += ENTRY.size
        path = data[at:at + path_bytes].decode()
        at += path_bytes
        before, after = data[at:at + in_file], data[at + in_file:at + in_file + after_bytes]
        at += in_file + after_bytes
        if kind == "S":
            syncs.append((path, offset))
        else:
            changes.append(_Change(number, kind, path, offset, before_bytes, before, after))
        number += 1
    return changes, syncs


def _undo(change):
    if change.kind == "W":
        with open(change.path, "r+b") as file:
            file.seek(change.offset)
            file.write(change.before)
            if len(change.before) < len(change.after):  # it made the file longer
                file.truncate(change.offset + len(change.before))
    elif change.kind == "T":
        os.truncate(change.path, change.before_bytes)
    elif change.kind == "C":
        os.rename(change.path, change.nameless())  # a file without a name has what was synced of it all the same
    elif change.kind == "R":
        to, kept = change.before.decode(), change.after.decode()
        os.rename(to, change.path)
        if kept:
            os.link(kept, to)
    elif change.before:
        os.link(change.before.decode(), change.path)


def _redo(change, chance):
    if change.kind != "C" and not os.path.exists(change.path):
        return
    if change.kind == "W":
        data = change.after
        if chance.random() < 0.5:
            data = bytearray(change.before.ljust(len(data), b"\0"))
            for begin in range(-(change.offset % SECTOR), len(data), SECTOR):
                if chance.random() < 0.5:
                    part = slice(max(begin, 0), begin + SECTOR)
                    data[part] = change.after[part]
        with open(change.path, "r+b") as file:
            file.seek(change.offset)
            file.write(data)
    elif change.kind == "T":
        os.truncate(change.path, change.offset)
    elif change.kind == "C":
        os.rename(change.nameless(), change.path)
    elif change.kind == "R":
        os.rename(change.path, change.before.decode())
    else:
        os.unlink(change.path)


def cut_power(log, directory, chance):
    """After the process was killed: what of its unsynced changes below `directory` is to be lost is lost. The log is empty afterwards. Gives
    (changes that were not synced, how many of them stayed)."""
    changes, syncs = _read(log)
    changes = [c for c in changes if c.path.startswith(directory + "/")]
    upto = {}
    for path, number in syncs:
        upto[path] = max(upto.get(path, 0), number)
    unsynced = [c for c in changes if c.number >= upto.get(c.synced_with(), 0)]
    for change in reversed(unsynced):
        if change.kind == "C" and not os.path.exists(change.path):
            continue
        _undo(change)
    stayed = [c for c in unsynced if chance.random() < 0.5 and (c.kind != "C" or os.path.exists(c.nameless()))]
    for change in stayed:
        _redo(change, chance)
    for change in unsynced:
        if change.kind == "C" and os.path.exists(change.nameless()):
            os.unlink(change.nameless())
    os.unlink(log)
    for name in os.listdir(os.path.dirname(log)):
        if name.startswith(os.path.basename(log) + "."):
            os.unlink(os.path.join(os.path.dirname(log), name))
    return len(unsynced), len(stayed)
