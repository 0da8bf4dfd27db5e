"""Kept results when their writer ends in the middle: at each of its steps, by a kill, a full disk or a cut file."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.input_manifest import Manifest
from pipeline.errors import StorageTrouble
from pipeline.execution.result_cache import Kept, ResultCache

MANIFEST = Manifest(stage="lint", parts={"files": {"a.py": "file 1"}})
ROOM = 25_000
MOST_STEPS = 200
FORKED = multiprocessing.get_context("fork")
Ending = Callable[[], None]


def entry(number: int, run: str) -> Kept:
    return Kept(
        key=f"{number:064x}", manifest=MANIFEST.text, result=f'{{"number": {number}}}', made="2026-01-01T00:00:00Z",
        run=run, raw={"a.log": b"x" * 9_000, "below/b.json": b"{}\n"},
    )  # fmt: skip


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _put_until(root: Path, step: int, ending: Ending) -> None:
    """Replace an entry, with too little room for the others, and end at the given step below ``root``."""
    left = step

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        below = arguments and isinstance(arguments[0], str | os.PathLike) and str(arguments[0]).startswith(str(root))
        if below and event.startswith(("open", "os.", "shutil.", "tempfile.")):
            left -= 1
            if left < 0:
                ending()

    sys.addaudithook(hook)
    try:
        ResultCache(root, ROOM).put("lint", entry(1, "second"))
    except StorageTrouble:
        os._exit(3)
    os._exit(0)


def _put_with_cut_files(root: Path, size: int, how: signal.Handlers) -> None:
    signal.signal(signal.SIGXFSZ, how)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        ResultCache(root, ROOM).put("lint", entry(1, "second"))
    except StorageTrouble:
        os._exit(3)
    os._exit(0)


def in_a_child(work: Callable[..., None], *arguments: Any) -> int:
    """What comes of it: 0 for an end as usual, 3 for trouble that was told, else the signal below zero."""
    child = FORKED.Process(target=work, args=arguments)
    child.start()
    child.join(120)
    assert child.exitcode is not None
    return child.exitcode


def filled(root: Path) -> None:
    cache = ResultCache(root, ROOM)
    for number in (1, 2):
        cache.put("lint", entry(number, "first"))


def is_whole(root: Path) -> None:
    """Each entry is one that was put there or none, and the next run goes on."""
    cache = ResultCache(root, ROOM)
    for number in (1, 2):
        # Raises Damaged where there is half of one.
        found = cache.get("lint", entry(number, "").key)
        assert found is None or (found.result, found.raw) == (entry(number, "").result, entry(number, "").raw)
        assert found is None or found.run in ("first", "second")
    assert cache.put("lint", entry(1, "third"))
    again = cache.get("lint", entry(1, "").key)
    assert again is not None
    assert again.run == "third"


@pytest.mark.parametrize(("ending", "code"), [(killed, -signal.SIGKILL), (full, 3)])
def test_an_end_at_any_step_of_a_write_leaves_whole_entries(tmp_path: Path, ending: Ending, code: int) -> None:
    codes = []
    for step in range(MOST_STEPS):
        root = tmp_path / f"{step}"
        filled(root)
        codes.append(in_a_child(_put_until, root, step, ending))
        is_whole(root)
        if codes[-1] == 0 and codes[-6:] == [0] * 6:
            break
    # What is only tidied up may fail without a word; all the rest ends the write.
    assert codes.count(code) >= 10
    assert codes[-1] == 0
    assert set(codes) == {0, code}


@pytest.mark.parametrize(("how", "code"), [(signal.SIG_DFL, -signal.SIGXFSZ), (signal.SIG_IGN, 3)])
@pytest.mark.parametrize("size", [0, 1, 15, 100, 300, 8_999])
def test_a_file_that_is_cut_anywhere_makes_no_entry(tmp_path: Path, how: signal.Handlers, code: int, size: int) -> None:
    filled(tmp_path)
    assert in_a_child(_put_with_cut_files, tmp_path, size, how) == code
    is_whole(tmp_path)
