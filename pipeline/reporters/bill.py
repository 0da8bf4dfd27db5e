"""A bill of materials as a value, apart from the library that writes it, which takes a while to import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.core.component import Component


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
