"""Which licences are allowed."""

from __future__ import annotations

import pytest

from pipeline.core.component import Component, ComponentKind
from pipeline.stages.image_licences import is_allowed, licence_hits

ALLOWED = frozenset({"mit", "gpl-2.0-only", "gpl-3.0-or-later with gcc-exception-3.1", "ad-hoc"})


@pytest.mark.parametrize(
    "text",
    ["MIT", "mit", "MIT OR BUSL-1.1", "MIT AND GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0",
     "GPL-3.0-or-later WITH GCC-exception-3.1", "(MIT AND GPL-2.0-only) OR X", "ad-hoc"],
)  # fmt: skip
def test_what_is_covered_is_allowed(text: str) -> None:
    assert is_allowed(text, ALLOWED)


@pytest.mark.parametrize(
    "text",
    ["BUSL-1.1", "MIT AND BUSL-1.1", "MIT AND (X OR Y)", "GPL-3.0-or-later", "GPL-3.0-or-later WITH Other", "",
     "BSD License", "MIT AND", "public-domain"],
)  # fmt: skip
def test_what_is_not_is_not(text: str) -> None:
    assert not is_allowed(text, ALLOWED)


def component(name: str, *licences: str, names: tuple[str, ...] = ()) -> Component:
    """A package with these licences."""
    return Component(
        kind=ComponentKind.PYTHON, name=name, version="1", licences=licences, licence_names=names, place="p"
    )


def test_each_package_is_told_once_with_what_is_not_allowed() -> None:
    packages = [
        component("good", "MIT"),
        component("bad", "BUSL-1.1", "MIT", names=("odd",)),
        component("silent"),
        component("stated"),
        Component(kind=ComponentKind.SYSTEM, name="debian", version="13"),
    ]
    hits = licence_hits(packages, ("MIT",), {"stated": "MIT OR X", "good": "MIT"}, {"bad": 4})
    assert [(hit.package, hit.message, hit.lock) for hit in hits] == [
        ("bad", "bad 1 has licences that are not allowed: BUSL-1.1, odd.", 4),
        ("silent", "silent 1 tells no licence.", 0),
    ]


def test_a_stated_licence_stands_in_place_of_what_the_package_tells() -> None:
    hits = licence_hits([component("a", "MIT")], ("MIT",), {"a": "BUSL-1.1"}, {})
    assert [hit.message for hit in hits] == ["a 1 has licences that are not allowed: BUSL-1.1."]
