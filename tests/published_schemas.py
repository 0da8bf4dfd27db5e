"""Schemas that others have published, as they lie beside the checkout; they are not ours to copy into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("SHARED_SCHEMAS") or Path(__file__).resolve().parents[2] / "shared" / "schemas")


def published(name: str) -> Path:
    """The schema's file; without it the test is skipped, and says which file is wanted where."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(
            f"The published schema {name} is not here, so nothing was held against it; it belongs into {FOLDER}."
        )
    return path
