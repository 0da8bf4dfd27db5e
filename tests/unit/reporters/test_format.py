"""A format owns the places of its files: it writes nowhere else, and a file that is there can be told to be its own."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from pipeline.reporters import FORMATS
from pipeline.reporters.format import Format, one_file
from tests.samples import passed, report

REPORT = report(passed())


def test_a_place_with_a_variable_part_claims_files_of_that_folder_alone() -> None:
    made = Format(places=("sarif/<tool>.sarif", "all.json"), render=lambda report: {})
    assert made.globs == ("sarif/*.sarif", "all.json")
    assert all(made.claims(path) for path in ("sarif/bandit.sarif", "sarif/a.b.sarif", "all.json"))
    others = ("sarif/a/b.sarif", "x/sarif/a.sarif", "sarif/.sarif", "sarif/a.sarif.gz", "allxjson", "sarif/<tool>.sari")
    assert not [path for path in others if made.claims(path)]


def test_a_file_outside_of_its_places_is_refused() -> None:
    made = Format(places=("sarif/<tool>.sarif",), render=lambda report: {"sarif/../../a.sarif": ""})
    with pytest.raises(ValueError, match=r"outside of its places: sarif/\.\./\.\./a\.sarif"):
        made.files(REPORT)


def test_a_format_of_one_file_with_nothing_to_say_makes_none() -> None:
    assert one_file("a.md", lambda report: str(report.verdict)).files(REPORT) == {"a.md": "pass"}
    assert not one_file("a.md", lambda report: "").files(REPORT)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_a_format_makes_it_finds_again(name: str) -> None:
    made = FORMATS[name]
    for path in made.files(REPORT):
        assert made.claims(path)
        assert any(fnmatchcase(path, glob) for glob in made.globs)


def test_no_two_formats_claim_one_file() -> None:
    for path in [path for made in FORMATS.values() for path in made.files(REPORT)]:
        assert sum(made.claims(path) for made in FORMATS.values()) == 1
