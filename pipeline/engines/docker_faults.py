"""Whose fault it was: what the docker SDK raises and what a build says, sorted into the target's faults and the
engine's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError

from pipeline.errors import EngineTrouble

SDK_ERRORS = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, StreamParseError, OSError)
"""Everything by which the docker SDK tells that a call did not succeed; its documentation names only the first."""

_KILLED = 137
_TAIL_LINES = 15
# What the classic builder says for the machine's or the network's trouble, whatever instruction it happened in.
_NOT_THE_RECIPES = re.compile(
    r"dial tcp|no such host|i/o timeout|tls handshake|connection re(set|fused)|network is unreachable|no space left"
    r"|input/output error|context canceled|unexpected eof|toomanyrequests|pull access denied|manifest (unknown|for)"
    r"|unauthorized",
    re.I,
)
_THE_RECIPES = re.compile(
    r"^(COPY|ADD) failed|parse error|unknown (instruction|flag)|requires BuildKit|should not be blank"
    r"|invalid reference format|invalid from flag|executable file not found|failed to process"
    r"|invalid (user|containerPort)|unable to find (user|group)|returned a non-zero code|exec format error"
    r"|no build stage in current context",
    re.I,
)
_NOTHING_TO_START = re.compile(
    r"executable file not found|exec format error|exec: \".*(no such file or directory|permission denied)"
    r"|unable to find (user|group)|no command specified",
    re.I,
)


@contextlib.contextmanager
def speaking(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into EngineTrouble; ``doing`` completes "The container engine could not …"."""
    try:
        yield
    except SDK_ERRORS as error:
        raise EngineTrouble(f"The container engine could not {doing}.", why=explanation(error)) from error


def explanation(error: BaseException) -> str:
    """The engine's own words as a sentence, without the SDK's wrapping."""
    text = str(getattr(error, "explanation", None) or str(error) or type(error).__name__).strip()
    return text if text.endswith((".", "!")) else f"{text}."


def status_of(error: APIError) -> int:
    """The HTTP status of an engine's refusal, 0 when it has none."""
    return int(error.status_code or 0)


def message_error(message: dict[str, Any]) -> str:
    """The error in one message of a stream, or an empty text; engines put it into either of two keys."""
    detail = message.get("errorDetail")
    text = detail.get("message") if isinstance(detail, dict) else None
    return str(text or message.get("error") or ("unknown error" if "errorDetail" in message else ""))


def recipe_is_at_fault(message: dict[str, Any]) -> bool:
    """Whether an error message of a build is about the recipe. What nobody knows is not called the recipe's fault."""
    text = message_error(message)
    detail = message.get("errorDetail")
    code = detail.get("code", 0) if isinstance(detail, dict) else 0
    if code == _KILLED or _NOT_THE_RECIPES.search(text):
        return False
    return bool(code) or bool(_THE_RECIPES.search(text))


def nothing_to_start(text: str) -> bool:
    """Whether a refusal to start a container is about the command that the image names."""
    return bool(_NOTHING_TO_START.search(text))


def tail(log: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log that say something."""
    return "\n".join([line for line in log.splitlines() if line.strip()][-lines:])
