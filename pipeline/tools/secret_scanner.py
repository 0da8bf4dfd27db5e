"""The secret scanner: detect-secrets' detectors, run by a driver of ours over every file of the snapshot.

Why detect-secrets 1.5.0 and not its fork bc-detect-secrets 1.5.52, both tried on 79 planted credentials and on this
repository: the original's own scan found 57 of them and raised 2 false alarms here, the fork's found 53 and raised 97,
95 of them digests in lock files. The fork also drops each line that holds the word "example", and no private key in a
file of more than 8 KiB is seen by it. With our own reading of the files the original's detectors find 77 of the 79.

A secret's value never leaves: snippets are masked here, and what is kept of the driver's output holds no value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.evidence import listed
from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.core.secret_forms import MASK
from pipeline.core.stage import NotChecked, Suppression
from pipeline.errors import ToolTrouble
from pipeline.tools.secret_scanner_driver import decoded
from pipeline.tools.secret_scanner_filters import Candidate, harmless

SCHEMA = "pipeline.secret-scan/v1"
DRIVER = Path(__file__).with_name("secret_scanner_driver.py")
_SNIPPET = 200
# CWE-798: use of hard-coded credentials.
_CWE = (798,)
_ADVICE = "Take it out, revoke it where it is valid, and read it from the environment or a secret store."


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What was found. ``values`` are the secrets themselves, for the redactor; ``kept`` is the output without them.

    ``allowed`` are the allow-list comments that the driver obeyed, ``unused`` the places of those that hide no secret.
    """

    findings: tuple[Finding, ...]
    checked: frozenset[str]
    values: tuple[str, ...] = field(default=(), repr=False)
    allowed: tuple[Suppression, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    doubts: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    detectors: int = 0
    kept: str = ""


def command(python: str) -> tuple[str, ...]:
    """The command line. ``-I`` keeps the scanned tree and the driver's own folder out of the import path."""
    return (python, "-I", "-X", "utf8", str(DRIVER))


def given(files: tuple[str, ...]) -> str:
    """What the driver reads: the names of the files, relative to its working folder."""
    return json.dumps({"files": files})


def parse(outcome: Outcome) -> Output:
    """Read the driver's output.

    Raises:
        ToolTrouble: the driver failed, or its output is not whole. What it printed is in neither: it may hold secrets.
    """
    if outcome.exit_code != 0:
        said = "\n".join(outcome.stderr.strip().splitlines()[-3:])
        raise ToolTrouble(f"The secret scanner failed with exit code {outcome.exit_code}.", why=f"It says: {said}")
    try:
        document: dict[str, Any] = json.loads(outcome.stdout)
        if document["schema"] != SCHEMA or document["complete"] is not True or not document["detectors"]:
            raise ValueError("it is not the driver's")
        real = [record for record in document["candidates"] if not harmless(_candidate(record))]
        files: dict[str, str] = {record["path"]: record["mode"] for record in document["files"]}
        errors: dict[str, str] = {record["path"]: record["reason"] for record in document["errors"]}
        allowed = [(record["path"], int(record["line"]), record["text"]) for record in document["allowed"]]
        unused = [(record["path"], int(record["line"])) for record in document["allowed"] if not record["hides"]]
        findings, values = _findings(real)
    except (ValueError, KeyError, TypeError) as error:
        # Without the cause: a JSON error carries the whole document.
        raise ToolTrouble(
            "The secret scanner's output is not whole, so it proves nothing.", why=f"{type(error).__name__}."
        ) from None
    return Output(
        findings=findings,
        checked=frozenset(files) - errors.keys(),
        values=values,
        allowed=tuple(Suppression(kind="allowlist", path=path, line=line, text=text) for path, line, text in allowed),
        not_checked=tuple(
            NotChecked(
                what=path, reason="Binary: its readable parts were searched, not what is packed or encoded in it."
            )
            for path, mode in sorted(files.items())
            if mode == "binary"
        ),
        doubts=unread(errors),
        # In a binary file no line has a place that people know.
        unused=tuple(f"{path}:{line}" for path, line in unused if files.get(path) != "binary"),
        detectors=len(document["detectors"]),
        kept=_kept(document, findings),
    )


def text_of(content: bytes) -> str:
    """A file's text, as the driver reads it."""
    return decoded(content)[0]


def masked(text: str, values: list[str]) -> str:
    """The line without the values, for people; nothing but the mask where a value can't be found in it."""
    if not text or any(value not in text for value in values):
        return MASK
    hidden = [False] * len(text)
    for value in values:
        at = text.find(value)
        while at >= 0:
            # What follows a key's header on its line is the key.
            end = len(text) if value.startswith("BEGIN ") else at + len(value)
            hidden[at:end] = [True] * (end - at)
            at = text.find(value, at + 1)
    shown = []
    for at, char in enumerate(text):
        if not hidden[at]:
            shown.append(char)
        elif not at or not hidden[at - 1]:
            shown.append(MASK)
    return "".join(shown).strip()[:_SNIPPET]


def _candidate(record: dict[str, Any]) -> Candidate:
    return Candidate(
        kind=record["kind"],
        value=record["value"],
        name=record["name"],
        quoted=record["quoted"],
        renamed=record["renamed"],
    )


def _findings(records: list[dict[str, Any]]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """One finding for each place, kind and value; and every text that must be masked from now on."""
    lines: dict[tuple[str, int, str], list[str]] = {}
    unique: dict[tuple[str, int, str, str], dict[str, Any]] = {}
    values: dict[str, None] = {}
    for record in records:
        secret = record["whole"].replace('\\"', '"')
        # The value too: what stands around a short one may have been taken from an earlier place on the line.
        both = (secret, record["value"].replace('\\"', '"'))
        lines.setdefault((record["path"], record["line"], record["text"]), []).extend(both)
        unique.setdefault((record["path"], record["line"], record["type"], secret), record)
        values.update(dict.fromkeys([record["value"], secret, *record["body"]]))
    findings = tuple(
        _finding(record, masked(record["text"], lines[record["path"], record["line"], record["text"]]))
        for record in unique.values()
    )
    return findings, tuple(values)


def _finding(record: dict[str, Any], snippet: str) -> Finding:
    guessed = record["kind"] == "KeywordDetector" or record["kind"].endswith("HighEntropyString")
    return Finding(
        rule=record["type"].lower().replace(" ", "-"),
        tool="detect-secrets",
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM if guessed else Confidence.HIGH,
        message=f"This looks like a credential ({record['type']}).",
        path=record["path"],
        line=int(record["line"]),
        snippet=snippet,
        cwe=_CWE,
        fix=_ADVICE,
    )


def unread(errors: dict[str, str]) -> tuple[str, ...]:
    """The doubt that files (and why) leave which could not be read; none where there are none."""
    if not errors:
        return ()
    return (f"The secret scanner could not read {listed(f'{path} ({why})' for path, why in sorted(errors.items()))}.",)


def _kept(document: dict[str, Any], findings: tuple[Finding, ...]) -> str:
    """The driver's output without values: what it scanned and how, and where something was found."""
    found = [{"path": f.path, "line": f.line, "rule": f.rule, "snippet": f.snippet} for f in findings]
    rest = {
        name: document[name] for name in ("schema", "version", "detectors", "files", "allowed", "errors", "complete")
    }
    return json.dumps({**rest, "candidates": len(document["candidates"]), "secrets": found}, indent=1) + "\n"
