"""What a report format is: a name, the places of its files, and the pure function that makes their texts."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.core.run_record import Report

_VARIABLE = re.compile(r"<[a-z]+>")


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to write a report down.

    ``places`` are all the paths that it can ever write, relative to the reports folder, with ``<word>`` for the part of
    a file's name that depends on the report (``sarif/<tool>.sarif``): whatever else lies at such a place is of an
    earlier run. ``render`` makes the texts by path; a file that has nothing to say is left out.
    """

    places: tuple[str, ...]
    render: Callable[[Report], Mapping[str, str]]

    @property
    def globs(self) -> tuple[str, ...]:
        """The places as patterns for :meth:`pathlib.Path.glob`."""
        return tuple(_VARIABLE.sub("*", place) for place in self.places)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        places = ("[^/]+".join(map(re.escape, _VARIABLE.split(place))) for place in self.places)
        return re.compile("|".join(places))

    def claims(self, path: str) -> bool:
        """Whether a path relative to the reports folder is one of its places."""
        return self._pattern.fullmatch(path) is not None

    def files(self, report: Report) -> dict[str, str]:
        """The texts of its files for this report, by path.

        Raises:
            ValueError: it has made a file outside of its places, which nothing would ever remove.
        """
        with _collector_at_rest():
            texts = dict(self.render(report))
        astray = [path for path in texts if not self.claims(path)]
        if astray:
            raise ValueError(f"a format has made files outside of its places: {', '.join(astray)}")
        return texts


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Without looking for cycles again and again, of which texts make none: that is a third of a long page's time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def one_file(place: str, render: Callable[[Report], str]) -> Format:
    """A format of a single file; when ``render`` makes no text, there is no such file."""

    def files(report: Report) -> dict[str, str]:
        text = render(report)
        return {place: text} if text else {}

    return Format(places=(place,), render=files)
