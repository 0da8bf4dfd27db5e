"""Processes that go by another name in the list of processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

HOME = {"PYTHONHOME": sys.base_prefix}
"""Their environment: under another name Python does not find its own library by itself."""


def under_the_name(name: str, arguments: Sequence[str]) -> list[str]:
    """A command line by which Python runs ``arguments`` and is called ``name``."""
    return ["/bin/bash", "-c", f'exec -a {name} "$0" "$@"', sys.executable, *arguments]
