"""Waiting for a condition with a deadline."""
import time


def until(condition, timeout=30.0, what="the condition", interval=0.05):
    """Calls `condition` until it returns something true, which is returned; AssertionError after `timeout` seconds. An exception
    of the condition counts as "not yet" and is shown when time is up."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # noqa: BLE001
            last = error
        assert time.monotonic() < deadline, f"{what} did not come within {timeout} s (last: {last!r})"
        time.sleep(interval)
