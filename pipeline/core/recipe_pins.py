"""What a Dockerfile takes from elsewhere without saying by a digest what it is: tomorrow it may be something else.

Source: the Dockerfile reference (FROM, ARG, COPY --from, ADD). What is not understood counts as not pinned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))")
_CONTINUED = re.compile(r"[\\`][ \t]*\r?\n(?:[ \t]*#[^\n]*\n)*")
_URL = re.compile(r"(?:https?|ftp|git|ssh)://\S+|git@\S+", re.I)
_SCRATCH = "scratch"


def unpinned(text: str) -> tuple[str, ...]:
    """The images and addresses that the recipe names without a digest, as it writes them, each once."""
    return tuple(dict.fromkeys(_unpinned(_CONTINUED.sub(" ", text))))


def _unpinned(text: str) -> Iterator[str]:
    values: dict[str, str] = {}
    made: set[str] = set()
    begun = 0
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        instruction = word.upper()
        if instruction == "ARG" and not begun:
            name, _, value = rest.strip().partition("=")
            values[name.strip()] = value.strip().strip("\"'")
        elif instruction == "FROM":
            begun += 1
            image, name = _from(rest)
            if not _is_known(image, values, made):
                yield image
            made |= {str(begun - 1), name.lower()} - {""}
        elif instruction in ("COPY", "RUN"):
            yield from (image for image in _taken_from(rest) if not _is_known(image, values, made))
        elif instruction == "ADD":
            yield from _URL.findall(rest)


def _from(rest: str) -> tuple[str, str]:
    """The image and the name of a stage: ``[--platform=…] image [AS name]``."""
    words = [word for word in rest.split() if not word.startswith("--")]
    image = words[0] if words else ""
    return image, words[2] if len(words) > 2 and words[1].upper() == "AS" else ""


def _taken_from(rest: str) -> Iterator[str]:
    """The images that ``COPY --from=`` and ``RUN --mount=…,from=`` name."""
    for word in rest.split():
        if word.startswith("--from="):
            yield word.removeprefix("--from=")
        elif word.startswith("--mount="):
            yield from (part.removeprefix("from=") for part in word.split(",") if part.startswith("from="))


def _is_known(image: str, values: dict[str, str], made: set[str]) -> bool:
    found = _VARIABLE.sub(lambda match: values.get(match["braced"] or match["bare"], ""), image)
    return found.lower() in {*made, _SCRATCH} or bool(_PINNED.fullmatch(found))
