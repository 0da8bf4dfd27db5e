"""Values as the page words them: numbers, sizes, times, and links to files beside the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from pipeline.core.safe_text import visible

_MINUTE = 60
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def shown(value: object) -> object:
    """What stands for a value of the templates: nothing for none, and a text with all of it visible.

    Markup is what the templates themselves have made, and stays.
    """
    if value is None:
        return ""
    return visible(value, keep="\n\t") if isinstance(value, str) and not hasattr(value, "__html__") else value


def number(value: float) -> str:
    """A count with its thousands apart, or a measured value with two decimals."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 finding``, ``2,000 findings``."""
    return f"{number(count)} {one if count == 1 else many or f'{one}s'}"


def seconds(value: float) -> str:
    """A duration for people: ``0.35 s``, ``12.4 s``, ``2 min 05 s``."""
    if value < 1:
        return f"{value:.2f} s"
    if round(value, 1) < _MINUTE:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"


def milliseconds(value: float | None) -> str:
    """A latency without its unit, or that there is none."""
    return "none" if value is None else f"{value:.2f}"


def size(count: int) -> str:
    """Bytes in the units of 1000: ``41.0 MB``."""
    value, unit = float(count), 0
    while round(value, 1) >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def moment(time: str) -> str:
    """An ISO 8601 time to the second, in UTC; as it came where it is none."""
    try:
        return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return time


def short(digest: str) -> str:
    """The beginning of a digest or commit, without the name of its algorithm."""
    return digest.rpartition(":")[2][:12]


def joined(names: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def file_link(path: str) -> str:
    """The address of a file by its path below the page's own folder; "" where the path leads out of it.

    It begins with ``./``, so that no name of a file is ever read as a scheme.
    """
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "\\" in path or visible(path) != path:
        return ""
    return f"./{quote(path, safe='/')}"
