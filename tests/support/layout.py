"""Where a running system's sockets and files lie under its data directory. The one place in the tests that knows."""
import pathlib
import stat


def sockets(data_dir):
    """Every Unix socket below the data directory."""
    found = []
    for path in pathlib.Path(data_dir).rglob("*"):
        try:
            if stat.S_ISSOCK(path.lstat().st_mode):
                found.append(path)
        except OSError:
            pass
    return sorted(found)


def _one(paths, what):
    assert len(paths) == 1, f"{what}: {[str(path) for path in paths]}"
    return paths[0]


def admin_socket(data_dir, daemon):
    """`daemon` as `bough status` names it: pageserver, safekeeper-1 …"""
    return _one([s for s in sockets(data_dir) if "admin" in s.name and daemon in str(s.relative_to(data_dir))], f"admin socket of {daemon}")


def page_socket(data_dir):
    return _one([s for s in sockets(data_dir) if "page" in s.name and "admin" not in s.name], "page service socket")


def wal_directories(data_dir):
    """The directories in which safekeepers keep segments: branch directory -> list of segment files."""
    found = {}
    for path in pathlib.Path(data_dir).rglob("*"):
        name = path.name
        if len(name) == 24 and all(c in "0123456789ABCDEF" for c in name) and "safekeeper" in str(path):
            found.setdefault(path.parent, []).append(path)
    return {directory: sorted(files) for directory, files in found.items()}
