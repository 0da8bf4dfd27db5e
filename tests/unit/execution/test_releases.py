"""The memory of releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.oci_manifest import digest_of
from pipeline.core.releases import place_name
from pipeline.errors import StorageTrouble
from pipeline.execution.releases import ReleaseFile
from pipeline.testing import FixedClock

FIRST, SECOND = digest_of(b"1"), digest_of(b"2")


def test_each_place_has_its_own_last_release(tmp_path: Path) -> None:
    path = tmp_path / "state" / "releases.json"
    releases = ReleaseFile(path, FixedClock())
    rehearsal, real = place_name("", "echo"), place_name("registry.example.org", "echo")
    assert releases.last(rehearsal) is None
    releases.record(rehearsal, FIRST)
    releases.record(real, FIRST)
    releases.record(rehearsal, SECOND)
    again = ReleaseFile(path, FixedClock())
    assert (again.last(rehearsal), again.last(real)) == (SECOND, FIRST)
    assert again.last(place_name("", "other")) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rehearsal/echo": 5}', '{"rehearsal/echo": {"digest": "latest"}}'])
def test_a_damaged_record_is_trouble_and_never_a_first_release(tmp_path: Path, text: str) -> None:
    path = tmp_path / "releases.json"
    path.write_text(text, encoding="utf-8")
    releases = ReleaseFile(path, FixedClock())
    with pytest.raises(StorageTrouble, match=r"releases\.json"):
        releases.last("rehearsal/echo")
    with pytest.raises(StorageTrouble, match=r"releases\.json"):
        releases.record("rehearsal/echo", FIRST)
