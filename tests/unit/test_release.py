"""A report says which release made it, also where there is none."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError

import pytest

from pipeline import release


def test_an_installed_package_says_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "version", lambda name: f"1.2.3 of {name}")
    assert release.release() == "proven-pipeline 1.2.3 of proven-pipeline"


def test_a_mere_checkout_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def _none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(release, "version", _none)
    assert release.release() == "proven-pipeline"


def test_the_name_is_the_projects_own() -> None:
    assert re.fullmatch(r"proven-pipeline( \d.*)?", release.release())
