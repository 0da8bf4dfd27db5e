"""The order of versions in advisories: PEP 440 for PyPI's ECOSYSTEM ranges, Semantic Versioning for SEMVER ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from packaging.version import InvalidVersion, Version


class Comparable(Protocol):
    """Something that sorts among its own kind."""

    def __lt__(self, other: Any, /) -> bool:
        """Whether it comes before ``other``."""
        ...

    def __ge__(self, other: Any, /) -> bool:
        """Whether it is ``other`` or comes after it."""
        ...

    def __gt__(self, other: Any, /) -> bool:
        """Whether it comes after ``other``."""
        ...


Order = Callable[[str], Comparable | None]
"""From a version's text to its place; none for a text that this order does not know."""

# https://semver.org, rules 2, 9 and 10; one or two numbers stand for a version that ends in zeros, as Go's semver
# package reads them.
_SEMVER = re.compile(
    r"v?(?P<major>0|[1-9]\d*)(\.(?P<minor>0|[1-9]\d*))?(\.(?P<patch>0|[1-9]\d*))?"
    r"(-(?P<pre>[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)


def pep440(text: str) -> Version | None:
    """The version that PEP 440 reads in ``text``, or none."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def semver(text: str) -> tuple[object, ...] | None:
    """The place of a semantic version (rule 11: precedence), or none; build metadata has no say in it."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    numbers = tuple(int(match[name] or 0) for name in ("major", "minor", "patch"))
    # Without a pre-release it is the release, which comes after all of them.
    parts = tuple(_identifier(part) for part in match["pre"].split(".")) if match["pre"] else ()
    return (*numbers, not parts, parts)


def order_of(range_type: str, version: str) -> Order:
    """The order in which a range of this type places ``version``.

    A version of PyPI that is no semantic one (``1.0rc1``) is placed by PEP 440 in a SEMVER range too: that reads the
    usual semantic versions, and says so where it does not.
    """
    return semver if range_type == "SEMVER" and semver(version) is not None else pep440


def spellings(version: str) -> tuple[str, ...]:
    """The version, and without its local part: ``1.0+cu118`` is 1.0, built elsewhere (PEP 440, "Local versions")."""
    parsed = pep440(version)
    return (version, parsed.public) if parsed is not None and parsed.local else (version,)


def normal(version: str) -> str:
    """The one spelling of a version (PEP 440, "Normalization": ``1.0-1`` is ``1.0.post1``); else the text itself."""
    parsed = pep440(version)
    return version if parsed is None else str(parsed)


def _identifier(part: str) -> tuple[int, int, str]:
    """Numbers sort as numbers and before words."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
