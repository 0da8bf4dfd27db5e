"""Any change of a finished report is told: random changes of bytes, of values, of files, of whole results."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.finished_containers import CONTAINERS
from tests.finished_reports import GREEN, MIXED, finished
from tests.mutations import MUTATIONS, Mutable, caught

DEFAULT_DOSE, FULL_DOSE = 300, 3000
Reports = tuple[Mutable, Mutable, Mutable]


@pytest.fixture(name="reports", scope="module")
def reports_fixture(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """A report of every status, one of container stages, and one that is green in every respect."""
    folder = tmp_path_factory.mktemp("reports")
    mixed, containers, green = (
        Mutable(finished(folder / str(number), stages)) for number, stages in enumerate((MIXED, CONTAINERS, GREEN))
    )
    return mixed, containers, green


def test_a_report_that_nobody_touched_is_not_contradicted(reports: Reports) -> None:
    assert [report.is_caught() for report in reports] == [False, False, False]


def test_every_random_change_is_caught(reports: Reports) -> None:
    changed, missed = caught(reports, range(DEFAULT_DOSE))
    assert not missed
    assert changed > DEFAULT_DOSE * 0.9


@pytest.mark.full
def test_every_random_change_of_thousands_is_caught(reports: Reports) -> None:
    changed, missed = caught(reports, range(DEFAULT_DOSE, DEFAULT_DOSE + FULL_DOSE))
    assert not missed
    assert changed > FULL_DOSE * 0.9


@pytest.mark.parametrize("mutate", dict.fromkeys(MUTATIONS), ids=lambda mutate: mutate.__name__)
def test_every_kind_of_change_is_caught(mutate: Callable[[Mutable, Random], None], reports: Reports) -> None:
    for number, report in enumerate(reports):
        try:
            mutate(report, Random(number))
            assert report.is_caught() or not report.is_changed()
        finally:
            report.restore()
