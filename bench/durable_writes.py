"""What the disk gives: how long it takes until small writes to files that have their size are durable, each file's by a process of its own."""
import os
import statistics
import time

WRITE = b"w" * 8192
FILE_BYTES = 4 << 20


def durable_write_ms(directory, files, writes=200):
    """Median over `writes` of how long it takes until one write to each of `files` files is durable; all processes begin at once."""
    go = [os.pipe() for _ in range(files)]
    done_read, done_write = os.pipe()
    children = []
    for number in range(files):
        child = os.fork()
        if child == 0:
            try:
                for _, end in go:
                    os.close(end)  # or nobody's would ever end
                _write_when_told(os.path.join(directory, f"durable_writes.{number}"), go[number][0], done_write)
            finally:
                os._exit(0)
        children.append(child)
    took = []
    try:
        _wait_for(done_read, files)  # their files are there
        for _ in range(writes):
            begin = time.monotonic()
            for _, end in go:
                os.write(end, b"g")
            _wait_for(done_read, files)
            took.append(1000 * (time.monotonic() - begin))
    finally:
        for ends in go:
            os.close(ends[1])
            os.close(ends[0])
        for child in children:
            os.waitpid(child, 0)
        os.close(done_read)
        os.close(done_write)
    return statistics.median(took)


def appended_ms(directory, files, appends, size=300):
    """How long each of `appends` took: `size` bytes added to each of `files` files, one file after the other, each durable before the next."""
    opened = [os.open(os.path.join(directory, f"appended.{number}"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600) for number in range(files)]
    took = []
    for _ in range(appends):
        begin = time.monotonic()
        for file in opened:
            os.write(file, bytes(size))
            os.fdatasync(file)
        took.append(1000 * (time.monotonic() - begin))
    for file in opened:
        os.close(file)
    return took


def _wait_for(pipe, count):
    for _ in range(count):
        os.read(pipe, 1)


def _write_when_told(path, go, done):
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.pwrite(file, bytes(FILE_BYTES), 0)
    os.fsync(file)
    os.write(done, b"d")
    at = 0
    while os.read(go, 1) == b"g":
        os.pwrite(file, WRITE, at)
        os.fdatasync(file)
        os.write(done, b"d")
        at = (at + len(WRITE) // 4) // 4096 * 4096 % (FILE_BYTES - len(WRITE))
    os.unlink(path)
