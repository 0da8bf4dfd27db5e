"""An advisory snapshot is believed whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import StorageTrouble
from pipeline.execution.advisories import Limits, read_export
from tests.advisory_exports import REAL_EXPORT, advisory, jinja_records, write_export


def zipped(path: Path, entries: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip with these entries."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, said: str, limits: Limits | None = None) -> None:
    """The snapshot is refused for this reason, with advice, without the place of the file."""
    with pytest.raises(StorageTrouble, match=said) as caught:
        read_export(path, limits)
    assert caught.value.advice
    assert str(path.parent) not in str(caught.value)


def test_a_snapshot_is_indexed_with_its_digest_date_and_size(tmp_path: Path) -> None:
    path = write_export(tmp_path / "all.zip", *jinja_records("2026-03-01T10:00:00Z"))
    index = read_export(path)
    assert index.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (index.newest.isoformat(), index.count) == ("2026-03-01T10:00:00+00:00", 3)
    assert sorted(index.by_package) == ["aaa-sample", "jinja2"]
    (found,) = index.vulnerabilities("jinja2", "2.10")
    assert (found.id, str(found.severity), found.text) == ("PYSEC-2021-66", "high", "Slow pattern in urlize.")


def test_what_the_schema_allows_to_be_null_or_new_is_read(tmp_path: Path) -> None:
    record = advisory("X-1", "a", aliases=None, severity=None, credits=[{"name": "n"}], future={"x": 1})
    assert read_export(write_export(tmp_path / "all.zip", record, {**record, "id": "X-2", "affected": None})).count == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modified": None}, "no OSV record"),
        ({"modified": "2026-01-01T00:00:00"}, "its date no zone"),
        ({"modified": "yesterday"}, "no OSV record"),
        ({"affected": [{"package": {"name": "a"}}]}, "no OSV record"),
        ({"affected": [{"package": {"name": "a", "ecosystem": "PyPI"}, "versions": [1]}]}, "no OSV record"),
        ({"affected": [{"ranges": [{"events": []}]}]}, "no OSV record"),
        ({"affected": {}}, "no OSV record"),
    ],
)
def test_a_record_that_breaks_the_schema_refuses_the_snapshot(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    refused(write_export(tmp_path / "all.zip", *jinja_records(), {**advisory("X-1", "a"), **change}), said)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"../X.json": "{}"}, "has a path"),
        ({"/X.json": "{}"}, "has a path"),
        ({"a/X.json": "{}"}, "has a path"),
        ({"..\\X.json": "{}"}, "has a path"),
        ({".X.json": "{}"}, "has a path"),
        ({"X.txt": "{}"}, "no advisory"),
        ({"X.json": ""}, "no OSV record"),
        ({"X.json": "{"}, "no OSV record"),
        ({"X.json": "[]"}, "no OSV record"),
        ({"X.json": b"\xff\xfe{}"}, "no OSV record"),
        ({"X.json": '{"id": "", "modified": "2026-01-01T00:00:00Z"}'}, "has no id"),
        ({}, "no advisory for a package of PyPI"),
    ],
)
def test_an_entry_out_of_place_refuses_the_snapshot(tmp_path: Path, entries: dict[str, str | bytes], said: str) -> None:
    refused(zipped(tmp_path / "all.zip", entries), said)


def test_the_export_of_another_ecosystem_is_refused(tmp_path: Path) -> None:
    text = json.dumps(advisory("X-1", "a")).replace("PyPI", "npm")
    refused(zipped(tmp_path / "all.zip", {"X-1.json": text}), "no advisory for a package of PyPI")


def test_one_id_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(advisory("X-1", "a"))
    refused(zipped(tmp_path / "all.zip", {"X-1.json": text, "X-2.json": text}), "'X-1' twice")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(entries=2), "3 entries, and 2 are allowed"),
        (Limits(entry_bytes=50), "would unpack to"),
        (Limits(total_bytes=300), "would unpack to .* bytes, and 300"),
    ],
)
def test_a_snapshot_beyond_a_limit_is_refused(tmp_path: Path, limits: Limits, said: str) -> None:
    refused(write_export(tmp_path / "all.zip", *jinja_records()), said, limits)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "all.zip", {"X.json": b" " * 10_000_000})
    assert bomb.stat().st_size < 20_000
    refused(bomb, "more than 200 to 1")


def test_an_entry_that_hides_its_true_size_is_damage(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"X.json": json.dumps(advisory("X", "a")) + " " * 1000})
    data = path.read_bytes()
    true = len(json.dumps(advisory("X", "a"))) + 1000
    path.write_bytes(data.replace(true.to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(path, "damaged|more than")


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = write_export(tmp_path / "all.zip", *jinja_records())
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"<html>502 Bad Gateway</html>",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-10],
        lambda data: data[:60] + b"\0\0\0\0" + data[64:],
    ],
)
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write_export(tmp_path / "all.zip", *jinja_records())
    path.write_bytes(damage(path.read_bytes()))
    refused(path, "is refused")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 2000), value=st.integers(0, 255))
def test_a_changed_byte_is_never_another_crash_than_the_refusal(tmp_path: Path, place: int, value: int) -> None:
    path = write_export(tmp_path / "changed.zip", *jinja_records())
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data)
    try:
        assert read_export(path).count == 3
    except StorageTrouble as trouble:
        assert trouble.advice


@pytest.mark.parametrize("comment", [30, 20_000])
def test_an_entry_that_swallows_those_behind_it_is_damage(tmp_path: Path, comment: int) -> None:
    path = write_export(tmp_path / "all.zip", *jinja_records())
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 32
    data[place : place + 2] = comment.to_bytes(2, "little")
    path.write_bytes(data)
    refused(path, "damaged")


def test_an_archive_with_a_comment_is_no_export(tmp_path: Path) -> None:
    path = write_export(tmp_path / "all.zip", *jinja_records())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK"
    refused(path, "does not hold what it counts")


@pytest.mark.full
def test_an_archive_of_more_entries_than_the_old_format_counts_is_read(tmp_path: Path) -> None:
    path = write_export(tmp_path / "all.zip", *(advisory(f"X-{n}", "a") for n in range(65_600)))
    assert read_export(path).count == 65_600


def test_a_file_that_is_not_there_or_is_a_folder_cannot_be_read(tmp_path: Path) -> None:
    refused(tmp_path / "none.zip", "can't be read: No such file")
    os.mkdir(tmp_path / "folder.zip")
    refused(tmp_path / "folder.zip", "can't be read: Is a directory")


def test_thousands_of_records_are_indexed_within_a_second(tmp_path: Path) -> None:
    path = REAL_EXPORT
    if not path.is_file():
        versions = [f"{number}.0" for number in range(50)]
        records = [advisory(f"X-{n}", f"package-{n % 700}", details="x" * 500, padding=versions) for n in range(2661)]
        path = write_export(tmp_path / "all.zip", *records)
    seconds = []
    for _ in range(3):
        started = time.thread_time()
        index = read_export(path)
        assert index.count > 2000
        assert index.sample() is not None
        seconds.append(time.thread_time() - started)
    # The least of them: what a collection of garbage or a neighbour on the core adds is not its own.
    assert min(seconds) < 1.0
