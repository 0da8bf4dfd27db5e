"""A worker tells what it does, ends with all that it started, and says how it ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.execution import workers
from pipeline.execution.processes import process_started
from pipeline.execution.workers import BROKEN, INTERRUPTED, Message, Teller, Worker, carried_out, listen

Tell = Callable[[Message], None]
WAIT = (sys.executable, "-c", "import time; time.sleep(60)")


@contextlib.contextmanager
def at_work(work: Callable[[Tell], None]) -> Iterator[Worker]:
    worker = Worker("sample", work)
    try:
        yield worker
    finally:
        worker.kill()
        told(worker)
        worker.close()


def told(worker: Worker, until: Callable[[list[Message]], bool] = lambda found: False) -> list[Message]:
    """What it tells until then, or until its end."""
    found: list[Message] = []
    with selectors.PollSelector() as selector:
        selector.register(worker, selectors.EVENT_READ)
        while worker.exit_code is None and not until(found):
            assert selector.select(60), "it hangs"
            found += worker.messages()
    return found


def one(found: list[Message]) -> bool:
    return bool(found)


def waits(tell: Tell) -> None:
    tell({"say": "ready"})
    time.sleep(60)


def test_what_it_tells_arrives_in_order_and_whole() -> None:
    def work(tell: Tell) -> None:
        for number in range(500):
            tell({"number": number, "text": "ü\n" * 200})

    with at_work(work) as worker:
        found = told(worker)
    assert [message["number"] for message in found] == [*range(500)]
    assert found[0]["text"] == "ü\n" * 200
    assert worker.exit_code == 0


def test_a_request_to_stop_interrupts_it_once() -> None:
    def work(tell: Tell) -> None:
        try:
            waits(tell)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            tell({"say": "put away"})
            raise

    with at_work(work) as worker:
        told(worker, one)
        worker.stop()
        assert told(worker) == [{"say": "put away"}]
    assert worker.exit_code == INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_is_for_the_runner(number: signal.Signals) -> None:
    def work(tell: Tell) -> None:
        os.kill(os.getpid(), number)
        # A tool gets the ordinary handling of the signal, not one that it could not be stopped by.
        ended = subprocess.run((sys.executable, "-c", f"import os; os.kill(os.getpid(), {number})"), check=False)
        tell({"code": ended.returncode})

    with at_work(work) as worker:
        ((code,),) = [message.values() for message in told(worker)]
    assert code in (-number, 1)
    assert worker.exit_code == 0


def test_a_kill_is_told_by_its_signal() -> None:
    with at_work(waits) as worker:
        told(worker, one)
        worker.kill()
        told(worker)
    assert worker.exit_code == -signal.SIGKILL


def test_nothing_that_it_started_stays() -> None:
    def work(tell: Tell) -> None:
        with subprocess.Popen(WAIT, start_new_session=True) as process:
            tell({"pid": process.pid})
            raise KeyboardInterrupt

    def leaves(tell: Tell) -> None:
        tell({"pid": os.spawnv(os.P_NOWAIT, WAIT[0], WAIT)})

    for each in (work, leaves):
        with at_work(each) as worker:
            message = told(worker, one)[0]
            if each is work:
                worker.stop()
            told(worker)
        assert not process_started(message["pid"])


def test_a_defect_is_told_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[Message] = []

    def breaks(tell: Tell) -> None:
        raise KeyError("lost")

    assert carried_out(breaks, found.append) == BROKEN
    assert found[0]["broken"] == "KeyError: 'lost'"
    assert "breaks" in found[0]["trace"]
    with at_work(breaks) as worker:
        assert told(worker)[0]["broken"] == "KeyError: 'lost'"
    assert worker.exit_code == BROKEN
    assert capsys.readouterr() == ("", "")


def test_a_work_that_is_interrupted_or_done_says_so() -> None:
    def interrupted(tell: Tell) -> None:
        raise KeyboardInterrupt

    found: list[Message] = []
    assert carried_out(interrupted, found.append) == INTERRUPTED
    assert carried_out(lambda tell: None, found.append) == 0


def test_when_nobody_listens_the_work_goes_on(tmp_path: Path) -> None:
    def work(tell: Tell) -> None:
        tell({"say": "ready"})
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        tell({"say": "x" * 1_000_000})
        (tmp_path / "done").touch()

    worker = Worker("sample", work)
    told(worker, one)
    worker.close()
    (tmp_path / "go").touch()
    _, status = os.waitpid(worker.pid, 0)
    assert status == 0
    assert (tmp_path / "done").exists()


def test_a_worker_whose_parent_has_gone_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "stop_with", lambda parent, number: False)
    with at_work(waits) as worker:
        assert not told(worker)
    assert worker.exit_code == INTERRUPTED


def test_a_worker_counts_one_request_and_overhears_what_is_for_the_runner() -> None:
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        listen()
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_messages_are_lines_and_a_pipe_without_a_reader_is_no_trouble() -> None:
    read, write = os.pipe()
    tell = Teller(write)
    tell({"say": "a\nb"})
    assert os.read(read, 100) == b'{"say": "a\\nb"}\n'
    os.close(read)
    tell({"say": "c"})
    os.close(write)
