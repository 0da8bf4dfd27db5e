"""Names of Python packages as they are compared."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[-_.]+")


def canonical_name(name: str) -> str:
    """The name as PEP 503 normalises it, by its own formula; ``packaging`` has the same and takes long to load."""
    return _SEPARATORS.sub("-", name).lower()
