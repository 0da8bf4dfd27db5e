"""Pictures of the page to look at after a change of its looks: ``python -m tests.page_pictures FOLDER``.

For a passing, failing, inconclusive, huge and hostile report: light, dark and on phones as PNG, printed as PDF.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pipeline.reporters import page
from tests import page_samples
from tests.browser import browser, show

KINDS = {
    "passing": page_samples.passing,
    "failing": page_samples.failing,
    "inconclusive": page_samples.inconclusive,
    "huge": page_samples.huge,
    "hostile": page_samples.hostile,
}
FORMS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"dark": True},
    "phone": {"width": 390, "height": 844},
    "narrow": {"width": 320, "height": 640},
}
_MOST = 12_000
"""Pixels of a picture's height; of ten thousand findings the first hundred are enough to look at."""


def write_pages(folder: Path) -> None:
    """A page of each kind."""
    for kind, made in KINDS.items():
        (folder / f"{kind}.html").write_text(page.render(made()), encoding="utf-8")


def take(folder: Path) -> None:
    """Write the pages and a picture of each in every form."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pages(folder)
    with browser() as driver:
        for kind in KINDS:
            address = (folder / f"{kind}.html").resolve().as_uri()
            for form, how in FORMS.items():
                show(driver, address, **how).screenshot(folder / f"{kind}-{form}.png", most=_MOST)
            show(driver, address).printed(folder / f"{kind}.pdf")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
