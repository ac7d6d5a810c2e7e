"""pg_dumpall of two servers that must hold the same."""
import itertools
import re

_SETVAL = re.compile(r"SELECT pg_catalog\.setval\('(?P<name>.*)', (?P<value>-?\d+), (?P<called>true|false)\);$")
# nextval() logs this many values ahead (SEQ_LOG_VALS in sequence.c), so that not every call has to: who starts from the log alone
# begins after them, as a stock standby or a crash recovery does.
_LOGGED_AHEAD = 32


def _increments(dump):
    """By sequence name, from the dump's own definitions."""
    found, name = {}, None
    for line in dump.splitlines():
        if match := re.match(r"(?:CREATE (?:UNLOGGED )?SEQUENCE|\s+SEQUENCE NAME) (\S+)", line):
            name = match.group(1)
        elif name and (match := re.match(r"\s+INCREMENT BY (-?\d+)", line)):
            found[name] = int(match.group(1))
    return found


def _ahead_by_log(warm, fresh, steps):
    """Whether two lines set the same sequence, the fresh one to a value that was logged ahead."""
    a, b = _SETVAL.match(warm), _SETVAL.match(fresh)
    if not a or not b or a["name"] != b["name"] or b["called"] != "true":
        return False
    step = steps.get(a["name"], 1)
    ahead = (int(b["value"]) - int(a["value"])) / step
    return ahead == int(ahead) and 0 <= ahead <= _LOGGED_AHEAD


def assert_same_dump(what, warm, fresh):
    """The dump of the server that wrote equals that of one which started from storage, line by line, but for sequences that were
    logged ahead: those are checked for just that difference. Returns their number."""
    ours, theirs, steps = warm.splitlines(), fresh.splitlines(), _increments(warm)
    differ = [(a, b) for a, b in itertools.zip_longest(ours, theirs, fillvalue="") if a != b]
    wrong = [(a, b) for a, b in differ if not _ahead_by_log(a, b, steps)]
    assert not wrong, f"the dump of {what} differs in {len(wrong)} lines:\n" + "\n".join(f"-{a}\n+{b}" for a, b in wrong[:30])
    return len(differ)
