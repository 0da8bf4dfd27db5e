"""The log's writer: what goes out together, in which order, and what happens when nobody reads."""

import logging
import os
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TextIO

import pytest

from service import log_writer
from service.log_writer import LogWriter

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Log:
    """A writer on a pipe, and the pipe's other end."""

    writer: LogWriter
    reader: int
    stream: TextIO

    def say(self, text: str, level: int = logging.INFO) -> None:
        """A line."""
        assert self.writer.handle(logging.makeLogRecord({"msg": text, "levelno": level}))

    def read(self) -> str:
        """What one reading finds; nothing where there is nothing."""
        ready, _, _ = select.select([self.reader], [], [], 0)
        return os.read(self.reader, select.PIPE_BUF).decode() if ready else ""

    def fill(self) -> int:
        """Write until there is no room for more; how many bytes that took."""
        file, size = self.stream.fileno(), 0
        room = select.poll()
        room.register(file, select.POLLOUT)
        while room.poll(0):
            size += os.write(file, b"\n" * select.PIPE_BUF)
        return size


@pytest.fixture(name="log")
def _log() -> Iterator[Log]:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        yield Log(LogWriter(stream), reader, stream)
    os.close(reader)


def test_a_request_alone_has_its_line_written_at_once(log: Log) -> None:
    """Before its answer is sent."""
    log.writer.expect("request")
    log.writer.begin("request")
    log.say("one")
    assert log.read() == "one\n"
    log.writer.done("request")
    log.say("not of a request")
    assert log.read() == "not of a request\n"


def test_lines_in_company_go_out_together_and_in_order(log: Log) -> None:
    """With the last of the company, though that has none."""
    for request in ("first", "second", "third"):
        log.writer.expect(request)
    for request in ("first", "second"):
        log.writer.begin(request)
        log.say(request)
        log.writer.done(request)
        assert not log.read()
    log.writer.done("third")
    assert log.read() == "first\nsecond\n"


def test_a_line_does_not_wait_long_for_company(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stalls keeps its request open for seconds."""
    seconds = [100.0]
    monkeypatch.setattr(log_writer, "time", SimpleNamespace(monotonic=lambda: seconds[-1]))
    log.writer.expect("stalled")
    assert log.writer.due(1.0) == 1.0
    log.say("waits")
    assert log.writer.due(1.0) == pytest.approx(log_writer.SECONDS)
    seconds.append(100.0 + 0.75 * log_writer.SECONDS)
    assert log.writer.due(1.0) == pytest.approx(0.25 * log_writer.SECONDS)
    assert not log.read()
    seconds.append(100.0 + 1.01 * log_writer.SECONDS)
    log.writer.due(1.0)
    assert log.read() == "waits\n"


def test_a_fault_is_told_at_once_after_what_came_before_it(log: Log) -> None:
    """A process with faults may not live long."""
    log.writer.expect("other")
    log.say("before")
    log.say("fault", logging.ERROR)
    assert log.read() == "before\nfault\n"


def test_only_so_many_lines_wait(log: Log) -> None:
    """Then they go out though there are requests without a line."""
    log.writer.expect("other")
    for number in range(log_writer.TOGETHER):
        log.say(str(number))
    assert not log.read()
    log.say("last")
    assert log.read().splitlines() == [*map(str, range(log_writer.TOGETHER)), "last"]


def test_no_write_is_larger_than_what_a_pipe_takes_whole(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes write to one pipe: parts of lines would mix."""
    sizes = []
    write = os.write

    def noted(file: int, text: bytes) -> int:
        sizes.append(len(text))
        return write(file, text)

    monkeypatch.setattr(os, "write", noted)
    log.writer.expect("other")
    for number in range(10):
        log.say(str(number) * 999)
    log.writer.done("other")
    assert sizes == [4000, 4000, 2000]


def test_a_log_that_nobody_reads_stops_nothing_and_says_later_what_it_lost(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for it meanwhile is bounded."""
    monkeypatch.setattr(log_writer, "KEPT", 3)
    size = log.fill()
    for number in range(5):
        log.say(str(number))
    log.writer.due(1.0)
    while size:
        size -= len(log.read())
    log.say("3")
    assert log.read() == "0\n1\n2\n2 log lines are lost, because they could not be written\n3\n"


def test_what_is_left_is_written_at_the_end(log: Log) -> None:
    """The interpreter closes handlers when it ends."""
    log.writer.expect("never over")
    log.say("left")
    log.writer.close()
    assert log.read() == "left\n"


def test_the_end_waits_for_a_reader_but_not_for_ever(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reader gets all."""
    size = log.fill()
    log.say("left")
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 0.01)
    log.writer.close()
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 60.0)
    ending = threading.Thread(target=log.writer.close)
    ending.start()
    while size:
        size -= len(log.read())
    ending.join()
    assert log.read() == "left\n"


def test_a_reader_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a disk that is full; the lines are counted as lost."""
    reader, end = os.pipe()
    os.close(reader)
    with os.fdopen(end, "w") as stream:
        writer = LogWriter(stream)
        writer.emit(logging.makeLogRecord({"msg": "unheard", "levelno": logging.INFO}))
        read, other = os.pipe()
        monkeypatch.setattr(writer, "stream", os.fdopen(other, "w"))
        writer.emit(logging.makeLogRecord({"msg": "heard", "levelno": logging.INFO}))
        assert os.read(read, 100).startswith(b"heard\n1 log lines are lost")
        writer.stream.close()
        os.close(read)


def test_the_number_of_lost_lines_is_right_after_several_faults() -> None:
    """A note that could not be written either stands for the lines that it told of, and is none itself."""
    full = os.open("/dev/full", os.O_WRONLY)
    with os.fdopen(full, "w") as stream:
        writer = LogWriter(stream)
        for number in range(100):
            writer.emit(logging.makeLogRecord({"msg": str(number), "levelno": logging.INFO}))
        read, other = os.pipe()
        writer.setStream(os.fdopen(other, "w"))
        writer.emit(logging.makeLogRecord({"msg": "heard", "levelno": logging.INFO}))
        assert os.read(read, 200).decode().startswith("heard\n100 log lines are lost")
        writer.stream.close()
        os.close(read)


def test_of_a_line_longer_than_a_pipe_takes_whole_the_rest_waits_for_room(log: Log) -> None:
    """A traceback may be that long. It is no reason to stand still."""
    size = log.fill()
    while size > select.PIPE_BUF or not log.stream.writable():
        size -= len(log.read())
    text = "a" * (3 * select.PIPE_BUF)
    log.say(text, logging.ERROR)
    seen = ""
    for _ in range(9):
        seen += log.read()
        log.writer.due(1.0)
    assert seen.lstrip("\n") == f"{text}\n"


def test_what_waits_in_a_process_is_not_written_by_its_children(log: Log) -> None:
    """Workers are forked from one that has the application loaded."""
    log.writer.expect("other")
    log.say("of the parent")
    child = os.fork()
    if not child:
        try:
            log.writer.flush()
            log.say("of the child")
        finally:
            # Whatever happens, nothing of the test run may go on in this copy of it.
            os._exit(0)
    os.waitpid(child, 0)
    assert log.read() == "of the child\n"
    log.writer.done("other")
    assert log.read() == "of the parent\n"


def test_a_line_that_comes_while_another_is_written_is_not_forgotten(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is writing looks again."""
    write = os.write
    waiting = ["second"]

    def interrupted(file: int, text: bytes) -> int:
        while waiting:
            log.say(waiting.pop())
        return write(file, text)

    monkeypatch.setattr(os, "write", interrupted)
    log.say("first")
    assert log.read() == "first\nsecond\n"


def test_what_is_filtered_or_makes_no_sense_is_not_written(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with every handler."""
    faults: list[logging.LogRecord] = []
    monkeypatch.setattr(log.writer, "handleError", faults.append)
    assert log.writer.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    log.writer.addFilter(lambda record: False)
    assert not log.writer.handle(logging.makeLogRecord({"msg": "refused"}))
    assert len(faults) == 1
    assert not log.read()
