"""The page as a parser that is not ours reads it."""

from __future__ import annotations

from functools import cache
from typing import Any

from lxml import html

from pipeline.reporters import page
from tests import page_samples


def read(text: str) -> Any:
    """The page as a parser that is not ours reads it."""
    return html.document_fromstring(text)


@cache
def failing() -> str:
    """The page of a run that failed."""
    return page.render(page_samples.failing())


def words(element: Any) -> str:
    """Its texts on one line, apart."""
    return " ".join(" ".join(element.itertext()).split())


def one(tree: Any, path: str) -> Any:
    """The one element at the path."""
    (found,) = tree.xpath(path)
    return found
