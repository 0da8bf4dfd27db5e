"""Plain sentences on standard output or standard error, for what is said outside of a run: no layout, nothing to load.

What they name may come from the code under review all the same (a file's name, a report's text), so they are made safe.
"""

from __future__ import annotations

from typing import TextIO

from pipeline.core.safe_text import for_log


def tell(stream: TextIO, text: str) -> None:
    """The text as one line that steers neither a terminal nor a CI system, in characters that the stream takes."""
    encoding = stream.encoding or "utf-8"
    stream.write(for_log(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def complain(stream: TextIO, text: str) -> None:
    """What has gone wrong, behind the program's name; the further lines of a text that quotes a tool are indented."""
    first, *more = text.splitlines() or [""]
    tell(stream, f"pipeline: {first}")
    for line in more:
        tell(stream, f"  {line}")
