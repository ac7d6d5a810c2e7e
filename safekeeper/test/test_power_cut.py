"""The power cuts of the tests themselves: what they leave is what a disk could have kept."""

import random

from power_cut import ENTRY, cut_power


def entry(kind, path, offset=0, before=b"", after=b"", before_bytes=None):
    in_file = len(before) if before_bytes is None else before_bytes
    return ENTRY.pack(kind, len(path), offset, in_file, len(after)) + path.encode() + before + after


def test_a_file_that_was_synced_and_then_renamed_is_the_old_one_or_the_new_one(tmp_path):
    seen = set()
    for seed in range(40):
        directory = tmp_path / str(seed)
        directory.mkdir()
        control, temporary, kept = (str(directory / name) for name in ("control", "control.tmp", "../kept"))
        # As it is after the rename, with the old file kept aside by another name.
        (directory / "control").write_bytes(b"new")
        (tmp_path / "kept").unlink(missing_ok=True)
        (tmp_path / "kept").write_bytes(b"old")
        log = tmp_path / "log"
        log.write_bytes(entry(b"C", temporary) + entry(b"W", temporary, after=b"new") + entry(b"S", temporary, offset=2) +
                        entry(b"R", temporary, before=control.encode(), after=kept.encode()))
        unsynced, stayed = cut_power(str(log), str(directory), random.Random(seed))
        assert unsynced == 2
        seen.add((directory / "control").read_bytes())
        assert set(f.name for f in directory.iterdir()) <= {"control", "control.tmp"}
    assert seen == {b"old", b"new"}
