"""Segments of System V shared memory: what a Postgres holds in the kernel, and leaves there when it is killed."""
import pathlib
import subprocess


def segment_of(data_directory):
    """The number of the segment that the lock file in a data directory names; None without one."""
    try:
        lines = (pathlib.Path(data_directory) / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    words = lines[6].split() if len(lines) > 6 else []
    return int(words[1]) if len(words) == 2 else None


def present():
    """number -> pid of its maker, of every segment that is not marked for removal."""
    marked_for_removal = 0o1000
    found = {}
    for line in pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        _, number, mode, _, maker = line.split()[:5]
        if not int(mode, 8) & marked_for_removal:
            found[int(number)] = int(maker)
    return found


def remove_below(directory):
    """What the servers whose directories lie below `directory`, and none of which runs any more, have left."""
    makers = present()
    for lock_file in pathlib.Path(directory).rglob("postmaster.pid"):
        segment = segment_of(lock_file.parent)
        if segment is not None and str(makers.get(segment)) == lock_file.read_text().split()[0].removeprefix("-"):
            subprocess.run(["ipcrm", "--shmem-id", str(segment)], check=False)  # it may have gone meanwhile
