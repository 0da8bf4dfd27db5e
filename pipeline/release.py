"""Which release of this package is at work: what a report says of its own making."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGE = "proven-pipeline"


def release() -> str:
    """The package's name and version, like ``proven-pipeline 0.1.0``; of a mere checkout, which has none, the name."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return PACKAGE
