"""Kept results on disk: whole or not there, within bounds, whoever else is at it and whenever one is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.input_manifest import Manifest
from pipeline.errors import StorageTrouble
from pipeline.execution import result_cache
from pipeline.execution.result_cache import Damaged, Kept, ResultCache

MANIFEST = Manifest(stage="lint", parts={"files": {"a.py": "file 1"}})
LARGE = 10**9
LONGEST_S = 60.0
"""Whatever is waited for takes far less, in seconds, however busy the machine is."""


def entry(number: int = 1, size: int = 10, run: str = "run-1") -> Kept:
    return Kept(
        key=f"{number:064x}", manifest=MANIFEST.text, result=f'{{"number": {number}}}', made="2026-01-01T00:00:00Z",
        run=run, raw={"a.log": b"x" * size, "below/b.json": b"\xff\n"},
    )  # fmt: skip


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_what_is_put_is_found_again(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, LARGE)
    assert cache.get("lint", entry().key) is None
    assert cache.put("lint", entry())
    found = cache.get("lint", entry().key)
    assert found is not None
    assert (found.result, found.raw, found.run) == (entry().result, entry().raw, "run-1")
    assert json.loads(found.manifest) == json.loads(MANIFEST.text)
    assert cache.get("scan", entry().key) is None
    assert cache.get("lint", entry(2).key) is None
    cache.put("lint", entry(run="run-2"))
    again = cache.get("lint", entry().key)
    assert again is not None
    assert again.run == "run-2"
    cache.drop("lint", entry().key)
    cache.drop("lint", entry().key)
    assert cache.get("lint", entry().key) is None


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    cache = ResultCache(tmp_path, LARGE)
    cache.put("lint", entry())
    path = data.draw(st.sampled_from(files(tmp_path)))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    change = data.draw(st.sampled_from(["turned", "cut", "longer", "gone"]))
    turned = content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :]
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes({"turned": turned, "cut": content[:at], "longer": content + b"\n"}[change])
    if change == "gone" and path.name == "entry.json":
        assert cache.get("lint", entry().key) is None
    else:
        with pytest.raises(Damaged):
            cache.get("lint", entry().key)
    assert cache.put("lint", entry())
    assert cache.get("lint", entry().key) is not None


def test_an_entry_that_is_replaced_again_and_again_while_it_is_read_is_whole_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, sizes = ResultCache(tmp_path, LARGE), iter(range(11, 16))
    cache.put("lint", entry())
    content = vars(result_cache)["_content"]

    def replaced(path: Path) -> Any:
        found = content(path)
        if path.name == "entry.json" and (size := next(sizes, 0)):
            cache.put("lint", entry(size=size))
        return found

    monkeypatch.setattr(result_cache, "_content", replaced)
    kept = cache.get("lint", entry().key)
    assert kept is not None
    assert kept.raw == entry(size=15).raw


def test_an_entry_in_another_one_s_place_is_damaged(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, LARGE)
    cache.put("lint", entry())
    (tmp_path / "lint" / entry().key).rename(tmp_path / "lint" / entry(2).key)
    with pytest.raises(Damaged, match=r"entry\.json was changed"):
        cache.get("lint", entry(2).key)
    assert not cache.manifests("lint")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path, kind: str) -> None:
    cache = ResultCache(tmp_path / "cache", LARGE)
    cache.put("lint", entry())
    path = tmp_path / "cache/lint" / entry().key / "result.json"
    elsewhere = tmp_path / "same.json"
    path.rename(elsewhere)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(Damaged):
        cache.get("lint", entry().key)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, LARGE)
    for number in range(4):
        cache.put("lint", entry(number, size=10_000))
        os.utime(tmp_path / "lint" / entry(number).key / "entry.json", (number + 100, number + 100))
    cache.touch("lint", entry(0).key)
    cache.touch("lint", entry(9).key)
    small = ResultCache(tmp_path, 35_000)
    small.put("scan", entry(7, size=10_000))
    assert [small.get("lint", entry(number).key) is not None for number in range(4)] == [True, False, False, True]
    assert small.get("scan", entry(7).key) is not None
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 35_000


def test_what_is_larger_than_all_the_room_is_not_kept(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, 5_000)
    assert not cache.put("lint", entry(size=6_000))
    assert files(tmp_path) == []


@pytest.mark.parametrize(("stage", "key"), [("../lint", "0" * 64), ("lint", "../x"), ("", "0" * 64), ("lint", "0")])
def test_names_that_lead_elsewhere_are_none(tmp_path: Path, stage: str, key: str) -> None:
    cache = ResultCache(tmp_path / "cache", LARGE)
    assert cache.get(stage, key) is None
    assert not cache.put(stage, Kept(key=key, manifest="{}", result="", made="", run=""))
    cache.touch(stage, key)
    cache.drop(stage, key)
    assert files(tmp_path) == []


def test_a_folder_that_can_t_be_made_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    cache = ResultCache(tmp_path / "cache", LARGE)
    with pytest.raises(StorageTrouble, match="could not be kept"):
        cache.put("lint", entry())
    assert not cache.manifests("lint")


def test_the_most_recently_used_inputs_come_first(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, LARGE)
    for number in range(3):
        cache.put("lint", entry(number))
        os.utime(tmp_path / "lint" / entry(number).key / "entry.json", (number + 100, number + 100))
    assert len(cache.manifests("lint")) == 3
    assert len(cache.manifests("lint", most=1)) == 1


def test_what_killed_runs_left_goes_when_it_is_old(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, LARGE)
    for name in (".new-a", ".old-b", ".new-c"):
        (tmp_path / "lint" / name).mkdir(parents=True)
    for name in (".new-a", ".old-b"):
        os.utime(tmp_path / "lint" / name, (1, 1))
    cache.put("lint", entry())
    assert {path.name for path in (tmp_path / "lint").iterdir()} == {".new-c", entry().key}


def _put_again_and_again(root: Path, over: Any, room: int) -> None:
    cache, number = ResultCache(root, room), 0
    until = time.monotonic() + LONGEST_S
    while not over.is_set() and time.monotonic() < until:
        cache.put("lint", entry(number % 3, size=2_000, run=f"{os.getpid()}"))
        number += 1


def _count_reads(root: Path, over: Any, results: Any) -> None:
    cache, count = ResultCache(root, LARGE), 0
    begun = time.monotonic()
    # For a second, and on a busy machine until there was something to read.
    while (seconds := time.monotonic() - begun) < 1 or (not count and seconds < LONGEST_S):
        for number in range(3):
            # Raises Damaged where it sees half of anything.
            found = cache.get("lint", entry(number).key)
            count += found is not None and found.result == entry(number).result
    over.set()
    results.put(count)


@pytest.mark.parametrize("room", [LARGE, 5_500])
def test_several_runs_at_once_see_whole_entries_or_none(tmp_path: Path, room: int) -> None:
    context = multiprocessing.get_context("fork")
    results: Any = context.Queue()
    over = context.Event()
    writers = [context.Process(target=_put_again_and_again, args=(tmp_path, over, room)) for _ in range(2)]
    reader = context.Process(target=_count_reads, args=(tmp_path, over, results))
    everybody = [*writers, reader]
    for process in everybody:
        process.start()
    reader.join(2 * LONGEST_S)
    # Also where the reader has failed.
    over.set()
    for process in everybody:
        process.join(2 * LONGEST_S)
    assert [process.exitcode for process in everybody] == [0, 0, 0]
    assert results.get(timeout=10) > 0


@pytest.mark.parametrize("delay", [0.001 * number for number in range(8)])
def test_a_kill_at_any_moment_leaves_whole_entries(tmp_path: Path, delay: float) -> None:
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=_put_again_and_again, args=(tmp_path, context.Event(), 5_500))
    writer.start()
    while not (tmp_path / "lint").is_dir():
        time.sleep(0.001)
    time.sleep(delay)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(LONGEST_S)
    cache = ResultCache(tmp_path, LARGE)
    for number in range(3):
        found = cache.get("lint", entry(number).key)
        assert found is None or found.result == entry(number).result
    assert cache.put("lint", entry(1))
    assert cache.get("lint", entry(1).key) is not None
