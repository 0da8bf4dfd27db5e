"""A bill of materials as a value, apart from the library that writes it, which takes a while to import."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from pipeline.core.component import Component

NEVER = datetime.fromtimestamp(0, UTC)
"""When a bill was made of which only the content counts."""
NO_NUMBER = '"serialNumber": ""'
"""What an undated text has in the place of its serial number; within a JSON string no quotation mark stands bare."""

_NO_TIME = f'"timestamp": {json.dumps(NEVER.isoformat())}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a bill of materials says. Its subject, an application or an image (``is_image``), has a name, a version and
    perhaps a package URL; ``remarks`` are further values by name, and a name may come more than once.
    """

    name: str
    version: str
    purl: str
    is_image: bool
    made: datetime
    generator: str
    remarks: tuple[tuple[str, str], ...]
    components: tuple[Component, ...]

    @property
    def undated(self) -> Bill:
        """The same bill, made at no time: two runs over the same content have the same."""
        return replace(self, made=NEVER)


def dated(text: str, made: datetime) -> str:
    """The text of an undated bill, made at that time. Its serial number follows from all the rest of it.

    Raises:
        ValueError: it is no such text.
    """
    before, _, behind = text.partition(_NO_TIME)
    if not is_undated(text):
        raise ValueError("it is not the text of an undated bill of materials")
    text = f'{before}"timestamp": {json.dumps(made.isoformat())}{behind}'
    return text.replace(NO_NUMBER, f'"serialNumber": "{uuid5(NAMESPACE_URL, text).urn}"', 1)


def is_undated(text: str) -> bool:
    """Whether it has the places into which :func:`dated` puts the time and the number."""
    return _NO_TIME in text and NO_NUMBER in text
