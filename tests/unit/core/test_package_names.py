"""Names of packages are normalised as ``packaging`` normalises them."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name

from pipeline.core.package_names import canonical_name


@pytest.mark.parametrize("name", ["requests", "Flask", "a.B_c--d", "zope.interface", "_x-", "ruamel.yaml.clib", ""])
def test_a_name_is_what_packaging_makes_of_it(name: str) -> None:
    assert canonical_name(name) == canonicalize_name(name)
