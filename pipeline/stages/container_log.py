"""What a service's log says of its own troubles: errors and tracebacks become findings."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline.core.containers import Container
from pipeline.core.evidence import Control
from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.errors import EngineTrouble
from pipeline.stages.context import Context

TOOL = "container log"
_TRACEBACK = "Traceback (most recent call last)"
_LEVEL_KEYS = ("level", "levelname", "severity", "log.level")
_BAD_LEVELS = {"ERROR": Severity.MEDIUM, "CRITICAL": Severity.HIGH, "FATAL": Severity.HIGH, "EMERGENCY": Severity.HIGH}
# A level stands at the line's beginning, behind a time stamp, or in brackets, and in capitals; in running text it is a
# word.
_TEXT_LEVEL = re.compile(r"^(?:\W*[\d:.,TZ+ /-]*\W*)(?:\[[^\]]*\]\s*)*\[?(ERROR|CRITICAL|FATAL)\b\]?")
_LONGEST = 400
_MOST = 50


def findings_in(log: str) -> tuple[Finding, ...]:
    """A finding for each line of level ERROR or worse, and for each traceback; at most fifty."""
    found = []
    for number, line in enumerate(log.splitlines(), 1):
        level = _level(line)
        if _TRACEBACK in line:
            found.append(
                _finding("log-traceback", Severity.HIGH, f"line {number} of the log begins a traceback: {line}")
            )
        elif level in _BAD_LEVELS:
            found.append(_finding(f"log-{level.lower()}", _BAD_LEVELS[level], f"line {number} of the log: {line}"))
    return tuple(found[:_MOST])


def _level(line: str) -> str:
    if line.lstrip().startswith("{"):
        try:
            value: Any = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return next((str(value[key]).upper() for key in _LEVEL_KEYS if key in value), "")
    match = _TEXT_LEVEL.match(line)
    return match[1] if match else ""


def _finding(rule: str, severity: Severity, message: str) -> Finding:
    shown = message if len(message) <= _LONGEST else message[:_LONGEST] + "…"
    return Finding(rule=rule, tool=TOOL, severity=severity, confidence=Confidence.HIGH, message=shown, snippet=shown)


def keep_end(context: Context, container: Container) -> None:
    """Keep the container's log, the engine's description of it and its health history; an engine that is gone has none
    to give.
    """
    try:
        context.keep("container.log", container.logs())
        state = container.inspect().get("State") or {}
    except EngineTrouble as trouble:
        context.keep("container-trouble.txt", f"{trouble}\n")
        return
    context.keep("container-end.json", json.dumps(state, indent=2) + "\n")


def control() -> Control:
    """Lines that must be found."""
    planted = '{"level": "ERROR", "msg": "planted"}\nTraceback (most recent call last):\n[1] [CRITICAL] planted\n'
    return Control(
        tool="the log check", planted="error, traceback and critical line", caught=len(findings_in(planted)) == 3
    )
