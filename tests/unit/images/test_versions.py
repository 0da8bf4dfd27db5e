"""Versions order as dpkg orders them; the pairs are Policy 5.6.12's and dpkg's own tests' cases."""

from __future__ import annotations

import itertools

import pytest

from pipeline.errors import FetchTrouble
from pipeline.images.versions import DebianVersion

ASCENDING = [
    "0~~",
    "0~~a",
    "0~",
    "0",
    "0a",
    "0+",
    "1.0~beta1~svn1245-1",
    "1.0~beta1-1",
    "1.0-1~deb13u1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+deb13u1",
    "1.0-1.1",
    "1.0-2",
    "1.0-10",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.2-3",
    "1.10-1",
    "2.0-1-1",
    "1:0.1-1",
    "2:0",
]


def test_the_order_is_dpkgs() -> None:
    for older, newer in itertools.combinations(ASCENDING, 2):
        assert DebianVersion(older) < DebianVersion(newer), (older, newer)
        assert DebianVersion(newer) > DebianVersion(older)


@pytest.mark.parametrize(("left", "right"), [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.0", "1.00"), ("1.0-01", "1.0-1")])
def test_different_spellings_of_one_version_are_equal(left: str, right: str) -> None:
    assert DebianVersion(left) == DebianVersion(right)
    assert hash(DebianVersion(left)) == hash(DebianVersion(right))


@pytest.mark.parametrize("text", ["", "a:1", "1.0 ", "1_0", "-1", "1.0-", "1.0/2", "abc"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(FetchTrouble, match="not a Debian package version"):
        DebianVersion(text)
