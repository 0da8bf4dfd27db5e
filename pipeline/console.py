"""What a person at a terminal, or the log of a CI job, gets to read while a run goes on.

On a terminal one line shows what is being done and for how long, and is rewritten in place; elsewhere each step is a
plain line.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from pipeline.core.finding import State
from pipeline.core.ports import Redactor
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status

_COLOURS = {Status.PASS: "32", Status.FAIL: "31", Status.INCONCLUSIVE: "33", Status.NOT_RUN: "33"}
# Control characters, and what a terminal or a log reader may take for a new line or for another direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# GitHub reads "::" at the beginning of a line; it and Azure read "##[" and "##vso[" anywhere in it, TeamCity
# "##teamcity[".
_COMMAND_START = re.compile(r"^(\s*)(::|section_(?:start|end):)")
_COMMAND = re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
_TICK_S = 0.5
MOST_FINDINGS = 5


class Console:
    """A Progress that writes to ``stream``, once secrets are masked and control characters are made visible."""

    def __init__(self, stream: TextIO, redact: Redactor, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._redact = redact
        self._live = stream.isatty() and environ.get("TERM") != "dumb"
        forced = bool(environ.get("FORCE_COLOR"))
        self._colour = (self._live or forced) and not environ.get("NO_COLOR")
        self._guard = threading.RLock()
        self._doing = ""
        self._since = time.monotonic()
        self._ticker: threading.Thread | None = None

    def say(self, text: str) -> None:
        """What is being done now."""
        with self._guard:
            self._doing = safe(self._redact(text))
            if self._live:
                self._draw()
            else:
                self._write(f"  {self._doing}")

    def line(self, text: str, colour: str = "") -> None:
        """A line that stays."""
        with self._guard:
            self._erase()
            for part in self._redact(text).split("\n"):
                shown = safe(part)
                self._write(f"\x1b[{colour}m{shown}\x1b[0m" if colour and self._colour else shown)

    def begin(self, name: str) -> None:
        """A stage begins."""
        with self._guard:
            self._since = time.monotonic()
            self._doing = name
            if self._live and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
            elif not self._live:
                self._write(f"{name}: started")

    def end(self, result: StageResult) -> None:
        """A stage has ended: one line when it passed, else its reasons, its first findings and how to run it again."""
        with self._guard:
            self._doing = ""
            for text, colour in stage_lines(result):
                self.line(text, colour)

    def verdict(self, report: Report, folder: str) -> None:
        """The last lines of a run: the verdict, what holds it back, and where the reports are."""
        verdict = report.verdict
        lacking = [r for r in report.results if r.name in report.record.required and r.status is not Status.PASS]
        because = ", ".join(f"{result.name} {result.status}" for result in lacking)
        self.line(f"verdict: {verdict}" + (f" ({because})" if because else ""), _COLOURS[verdict])
        self.line(f"reports: {folder}/pipeline.json, {folder}/pipeline.junit.xml")

    def _tick(self) -> None:
        while True:
            time.sleep(_TICK_S)
            with self._guard:
                try:
                    if self._doing:
                        self._draw()
                except (OSError, ValueError):
                    # The terminal has gone, or the stream was closed: nobody looks any more.
                    return

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns
        text = f"  {self._doing} ({time.monotonic() - self._since:.0f} s)"
        self._put(f"\r\x1b[2K{text[: width - 1]}")
        self._stream.flush()

    def _erase(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._put(text + "\n")
        self._stream.flush()

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def stage_lines(result: StageResult) -> list[tuple[str, str]]:
    """The lines about a finished stage, each with its colour code."""
    colour = _COLOURS[result.status]
    checked = ""
    if result.evidence is not None:
        done = len(result.evidence.expected & result.evidence.checked)
        checked = f"  {done}/{len(result.evidence.expected)} {result.evidence.unit}"
    again = ", earlier result" if result.cached else ""
    lines = [(f"{result.name:<8} {result.status!s:<12} {result.duration_s:6.1f} s{again}{checked}", colour)]
    lines.extend((f"    {reason}", "") for reason in result.reasons)
    if result.status is Status.PASS:
        return lines
    counted = [finding for finding in result.findings if finding.counted and finding.state is State.NEW]
    for finding in counted[:MOST_FINDINGS]:
        lines.append(
            (f"    {finding.severity}: {finding.place}: {finding.message} [{finding.tool} {finding.rule}]", "")
        )
        if finding.snippet:
            lines.append((f"        {finding.snippet.strip()}", ""))
    if len(counted) > MOST_FINDINGS:
        lines.append((f"    and {len(counted) - MOST_FINDINGS} more in the report", ""))
    if result.command:
        lines.append((f"    again: {result.command}", ""))
    return lines


def safe(text: str) -> str:
    """One line that can't steer a terminal nor, as a workflow command, a CI system."""
    visible = _CONTROL.sub(
        lambda match: match.group().encode("unicode_escape").decode("ascii"), text.replace("\t", "    ")
    )
    visible = visible.encode("utf-8", "backslashreplace").decode("utf-8")
    return _COMMAND.sub(r"#\\#", _COMMAND_START.sub(r"\1\\\2", visible))


def standard(redact: Redactor) -> Console:
    """The console on standard error, where progress belongs."""
    return Console(sys.stderr, redact, os.environ)
