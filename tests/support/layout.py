"""Where a running system's sockets and files lie under its data directory. The one place in the tests that knows."""
import json
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


def admin_socket(data_dir, daemon):
    """`daemon` as `bough status` names it: pageserver, safekeeper-sk1 …"""
    name = "pageserver-admin" if daemon == "pageserver" else daemon.removeprefix("safekeeper-")
    return pathlib.Path(data_dir) / "run" / f"{name}.sock"


def page_socket(data_dir):
    return pathlib.Path(data_dir) / "run" / "pageserver.sock"


def supervisor_pid(data_dir):
    return json.loads((pathlib.Path(data_dir) / "supervisor.json").read_text())["pid"]


def compute_directory(data_dir, project_id, branch_id):
    """The data directory of a branch's Postgres."""
    return pathlib.Path(data_dir) / "computes" / project_id / branch_id


def settings_file(data_dir):
    """Says the format's version."""
    return pathlib.Path(data_dir) / "bough.json"


def logs(data_dir):
    """The text of every log of the system."""
    return "".join(path.read_text(errors="replace") for path in sorted((pathlib.Path(data_dir) / "log").rglob("*")) if path.is_file())


def wal_directories(data_dir):
    """The directories in which safekeepers keep segments: branch directory -> list of segment files."""
    found = {}
    for path in pathlib.Path(data_dir).rglob("*"):
        name = path.name
        if len(name) == 24 and all(c in "0123456789ABCDEF" for c in name) and "safekeeper" in str(path):
            found.setdefault(path.parent, []).append(path)
    return {directory: sorted(files) for directory, files in found.items()}
