"""Results on disk: whole, with digests of what lies beside them, and a damaged file is no result and no traceback."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.errors import StorageTrouble
from pipeline.execution.store import ResultStore
from pipeline.reporters import json_reading, json_report

PASSED = StageResult(
    name="lint", status=Status.PASS, reasons=(), snapshot="s1", evidence=Evidence.of("files", expected="a", checked="a")
)
RECORD = RunRecord(
    run_id="1-a",
    snapshot="s1",
    commit="c",
    branch="caf\udce9",
    dirty=True,
    started="2026-01-01T00:00:00Z",
    actor="me\udcff",
    python="3.11",
    platform="Linux",
    stages=("lint",),
    required=("lint",),
    policy_digest="p",
    policy={"lint.paths": ["a"], "x": 1.5},
)


@pytest.fixture(name="store")
def _store_fixture(tmp_path: Path) -> ResultStore:
    return ResultStore(
        tmp_path / "reports", tmp_path / "state", encode=json_report.render_stage, decode=json_reading.parse_stage
    )


def test_a_result_comes_back_with_the_digests_of_its_raw_files(store: ResultStore, tmp_path: Path) -> None:
    raw = store.fresh_raw("lint")
    (raw / "sub").mkdir()
    (raw / "sub" / "b.txt").write_text("b", encoding="utf-8")
    (raw / "a.txt").write_text("a", encoding="utf-8")
    (raw / "link").symlink_to("a.txt")
    written = store.write(PASSED)
    assert [(a.path, a.sha256) for a in written.artifacts] == [
        ("stages/lint/raw/a.txt", hashlib.sha256(b"a").hexdigest()),
        ("stages/lint/raw/sub/b.txt", hashlib.sha256(b"b").hexdigest()),
    ]
    assert store.read("lint") == written
    assert store.previous("lint") == written
    assert (tmp_path / "reports" / "stages" / "lint" / "result.json").exists()


def test_only_what_ran_to_an_end_of_its_own_is_remembered(store: ResultStore) -> None:
    store.write(PASSED)
    store.write(not_run("lint", "It was not selected."))
    store.write(replace(PASSED, snapshot="s2", cached=True))
    previous = store.previous("lint")
    assert previous is not None and previous.snapshot == "s1"


def test_results_of_another_snapshot_are_passed_over(store: ResultStore) -> None:
    store.write(PASSED)
    store.write(replace(PASSED, name="scan", snapshot="s2"))
    assert list(store.results(("lint", "scan", "test"), "s1")) == ["lint"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"schema": "other"}', b"[" * 100_000])
def test_a_damaged_result_is_none(content: bytes, store: ResultStore) -> None:
    path = store.stage_folder("lint") / "result.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert store.read("lint") is None
    assert not store.results(("lint",), "s1")


def test_a_file_in_the_place_of_a_folder_is_no_result(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("", encoding="utf-8")
    assert store.read("lint") is None


def test_raw_files_of_an_earlier_run_do_not_stay(store: ResultStore) -> None:
    (store.fresh_raw("lint") / "old.json").touch()
    assert not list(store.fresh_raw("lint").iterdir())


def test_raw_files_are_never_written_through_a_link(store: ResultStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    store.stage_folder("lint").mkdir(parents=True)
    (store.stage_folder("lint") / "raw").symlink_to(outside)
    raw = store.fresh_raw("lint")
    assert not raw.is_symlink() and not list(raw.iterdir())
    assert (outside / "precious").exists()
    raw.rmdir()
    raw.write_text("", encoding="utf-8")
    assert store.fresh_raw("lint").is_dir()


def test_raw_files_that_can_not_be_removed_are_said(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.fresh_raw("lint")

    def _denied(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pipeline.execution.report_files.shutil.rmtree", _denied)
    with pytest.raises(StorageTrouble, match=r"stages/lint/raw could not be emptied: Operation not permitted"):
        store.fresh_raw("lint")


def test_what_belongs_to_no_result_is_cleared_away(store: ResultStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "precious").mkdir(parents=True)
    for name in ("lint", "scan", "gone"):
        (store.fresh_raw(name) / "a.txt").touch()
        (store.stage_folder(name) / "result.json").touch()
    (tmp_path / "reports/stages/link").symlink_to(outside)
    store.clear(("lint", "scan"), frozenset({"lint"}))
    left = {path.relative_to(tmp_path / "reports/stages").as_posix() for path in (tmp_path / "reports").rglob("*.*")}
    assert left == {"lint/raw/a.txt", "lint/result.json", "scan/result.json"}
    assert (outside / "precious").exists()


def test_a_record_comes_back_whatever_its_names_hold(store: ResultStore, tmp_path: Path) -> None:
    assert store.read_record() is None
    store.write_record(RECORD)
    assert store.read_record() == RECORD
    assert json.loads((tmp_path / "state" / "run.json").read_bytes())["branch"] == "caf\udce9"


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"run_id": 5}', b"[" * 100_000])
def test_a_damaged_record_is_none(content: bytes, store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "run.json").write_bytes(content)
    assert store.read_record() is None


def test_a_file_in_the_place_of_the_state_folder_is_no_record(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="utf-8")
    assert store.read_record() is None


def test_a_place_that_can_not_be_written_is_said(store: ResultStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "reports")
    with pytest.raises(StorageTrouble, match=r"result\.json could not be written"):
        store.write(PASSED)


GLOBS = ("whole.json", "parts/*.xml")


def _left(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_of_a_format_nothing_stays_that_is_not_made_again(store: ResultStore, tmp_path: Path) -> None:
    beside = {"parts/c.txt": "", "parts/deep/d.xml": "", "whole.json.md": ""}
    for name in beside:
        (tmp_path / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "reports" / name).touch()
    store.put({"whole.json": "1", "parts/a.xml": "1", "parts/b.xml": "1"}, GLOBS)
    (tmp_path / "reports/parts/gone.xml").symlink_to("nowhere")
    store.put({"parts/b.xml": "2"}, GLOBS)
    assert _left(tmp_path / "reports") == {"parts/b.xml": "2", **beside}
    assert not (tmp_path / "reports/parts/gone.xml").is_symlink()


def test_a_file_that_is_what_it_shall_be_is_not_written_again(store: ResultStore, tmp_path: Path) -> None:
    store.put({"summary.md": "é\ud800"}, ["summary.md"])
    path = tmp_path / "reports/summary.md"
    before = path.stat().st_ino
    store.put({"summary.md": "é\ud800"}, ["summary.md"])
    assert path.stat().st_ino == before
    store.put({"summary.md": "other"}, ["summary.md"])
    assert path.read_text(encoding="utf-8") == "other"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("other", encoding="utf-8")
    store.put({"summary.md": "other"}, ["summary.md"])
    assert not path.is_symlink()


def test_reports_are_neither_written_nor_removed_through_a_link(store: ResultStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.xml").touch()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/parts").symlink_to(outside)
    store.put({"parts/a.xml": "1"}, GLOBS)
    assert (_left(tmp_path / "reports"), _left(outside)) == ({"parts/a.xml": "1"}, {"precious.xml": ""})


@pytest.mark.parametrize("name", ["../a.xml", "parts/../../a.xml", "/a.xml", "parts/../../../a/b.xml"])
def test_a_report_lies_below_the_reports(store: ResultStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside of the reports folder"):
        store.put({name: "1"}, GLOBS)
    assert not list(tmp_path.rglob("*.xml"))


def test_what_an_earlier_run_left_and_can_not_be_removed_is_said(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "reports/whole.json").mkdir(parents=True)
    with pytest.raises(StorageTrouble, match=r"whole\.json could not be removed: Is a directory"):
        store.put({}, GLOBS)


def test_the_same_bytes_are_read_into_a_value_once_and_other_ones_anew(tmp_path: Path) -> None:
    decoded = []

    def decode(text: str) -> StageResult | None:
        decoded.append(text)
        return json_reading.parse_stage(text)

    store = ResultStore(tmp_path / "reports", tmp_path / "state", encode=json_report.render_stage, decode=decode)
    store.write(PASSED)
    assert store.results(("lint",), "s1") == store.results(("lint",), "s1")
    assert len(decoded) == 1
    # By another process of the run.
    other = ResultStore(
        tmp_path / "reports", tmp_path / "state", encode=json_report.render_stage, decode=json_reading.parse_stage
    )
    other.write(replace(PASSED, started="2026-01-01T00:00:01Z"))
    found = store.read("lint")
    assert found is not None
    assert found.started == "2026-01-01T00:00:01Z"
    (tmp_path / "reports/stages/lint/result.json").write_text("{", encoding="utf-8")
    assert store.read("lint") is None
    (tmp_path / "reports/stages/lint/result.json").unlink()
    assert store.read("lint") is None
    store.write(PASSED)
    assert store.read("lint") == PASSED
