"""The bills of materials of earlier runs: the same texts as made anew, and anew where anything in them is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import kept_bills
from pipeline.core.component import Component, ComponentKind
from pipeline.core.run_record import Report
from pipeline.kept_bills import KeptBills
from pipeline.reporters import sbom
from pipeline.reporters.bill import NEVER, Bill, dated
from pipeline.workplace import Workplace
from tests.projects import make_project
from tests.samples import passed, report

FLASK = Component(kind=ComponentKind.PYTHON, name="flask", version="3.1.3", purl="pkg:pypi/flask@3.1.3")
# What would be taken for the place of the time or the number, if a text of the bill could look like one.
SLY = replace(
    FLASK,
    name='"serialNumber": ""',
    marker='"timestamp": "1970-01-01T00:00:00+00:00"',
    files=("1970-01-01T00:00:00+00:00",),
)


@pytest.fixture(name="written")
def _written(monkeypatch: pytest.MonkeyPatch) -> list[Bill]:
    """The bills that the library was asked to write."""
    asked: list[Bill] = []
    write = sbom.undated

    def noted(bill: Bill) -> str:
        asked.append(bill)
        return write(bill)

    monkeypatch.setattr(sbom, "undated", noted)
    return asked


def made(*components: Component, started: str = "2026-05-01T10:00:00.000Z") -> Report:
    """A report of a run that began then, with both bills."""
    image = replace(passed("build"), components=components, metrics={"tag": "a:1", "image_id": "sha256:1"})
    found = report(replace(passed("audit"), components=components), image)
    return replace(found, record=replace(found.record, started=started))


def bills(project: Path, found: Report, **environ: str) -> dict[str, str]:
    """What a run of its own writes."""
    return KeptBills(Workplace(project, environ, "run")).render(found)


def test_another_run_over_the_same_content_gets_the_librarys_text_without_the_library(
    tmp_path: Path, written: list[Bill]
) -> None:
    project = make_project(tmp_path / "project")
    bills(project, made(FLASK, SLY))
    assert len(written) == 2
    later = made(FLASK, SLY, started="2026-05-02T11:00:00.123Z")
    again = bills(project, later)
    assert len(written) == 2
    assert again == sbom.render(later)
    assert all('"timestamp": "2026-05-02T11:00:00.123000+00:00"' in text for text in again.values())


def test_whatever_is_another_in_a_bill_is_written_anew(tmp_path: Path, written: list[Bill]) -> None:
    project = make_project(tmp_path / "project")
    bills(project, made(FLASK))
    one, other = made(FLASK), made(replace(FLASK, marker="python_version > '3'"))
    commit = replace(one, record=replace(one.record, commit="f" * 40))
    for number, found in enumerate((other, commit, one), 2):
        assert bills(project, found) == sbom.render(found)
        assert len(written) == 4 * number - 2


def test_another_release_of_this_package_or_of_what_it_runs_with_writes_them_anew(
    tmp_path: Path, written: list[Bill], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    bills(project, made(FLASK))
    for number, what in enumerate(("package_digest", "distributions"), 2):
        monkeypatch.setattr(kept_bills, what, lambda _: "another")
        bills(project, made(FLASK))
        assert len(written) == 2 * number


def test_a_run_that_shows_one_of_them_leaves_the_other(tmp_path: Path, written: list[Bill]) -> None:
    project = make_project(tmp_path / "project")
    bills(project, made(FLASK))
    only = replace(made(FLASK), results=made(FLASK).results[:1])
    assert list(bills(project, only)) == [sbom.PYTHON]
    assert len(bills(project, made(FLASK))) == 2
    assert len(written) == 2


@pytest.mark.parametrize("content", ["", "{}", "no JSON", "ü"])
def test_a_damaged_file_of_them_is_as_good_as_none(tmp_path: Path, written: list[Bill], content: str) -> None:
    project = make_project(tmp_path / "project")
    found = made(FLASK)
    bills(project, found)
    (file,) = (project / ".pipeline/cache/files").iterdir()
    file.write_text(content, encoding="utf-8")
    assert bills(project, found) == sbom.render(found)
    assert len(written) == 6


def test_fresh_uses_none_and_a_change_request_leaves_none(tmp_path: Path, written: list[Bill]) -> None:
    project = make_project(tmp_path / "project")
    bills(project, made(FLASK), GITHUB_EVENT_NAME="pull_request")
    assert not (project / ".pipeline/cache/files").exists()
    bills(project, made(FLASK))
    bills(project, made(FLASK), PIPELINE_CACHE_FRESH="always")
    assert len(written) == 6


def test_what_a_real_push_signs_is_made_anew(tmp_path: Path, written: list[Bill]) -> None:
    """Whoever can write into the cache would choose it."""
    project = make_project(tmp_path / "project")
    for _ in range(2):
        bills(project, made(FLASK), PIPELINE_PUSH_REGISTRY="registry.example.org")
    assert len(written) == 4


def test_without_components_there_is_none(tmp_path: Path) -> None:
    assert not bills(make_project(tmp_path / "project"), made())


def test_a_text_that_is_no_undated_bill_gets_no_time() -> None:
    for text in ("", '"timestamp": "1970-01-01T00:00:00+00:00"', '"serialNumber": ""'):
        with pytest.raises(ValueError, match="undated"):
            dated(text, NEVER)
