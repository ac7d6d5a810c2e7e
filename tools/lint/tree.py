"""The files of the working tree that belong to the project: tracked, or new and not ignored."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*suffixes):
    """Paths relative to the root, as strings, sorted; all of them, or those that end in one of `suffixes`."""
    listing = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in set(listing.split("\0")) if name and name.endswith(suffixes or "") and (ROOT / name).is_file())


def text(name):
    """A file's content, or nothing where it is not text."""
    try:
        return (ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""


def report(problems):
    """Prints them and gives the exit status."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0
