"""The secret scanner's driver with two detectors of our own, in this process, for what only needs its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.ports import Outcome, Request
from pipeline.testing import outcome
from pipeline.tools.secret_scanner import DRIVER
from pipeline.tools.secret_scanner_driver import SCHEMA, TokenDetector, scan

DETECTORS: list[Any] = [
    TokenDetector("AWS Access Key", r"\bAKIA[A-Z0-9]{16}\b"),
    TokenDetector("Secret Keyword", r"(?i)\b\w*password\w*\s*[=:]\s*[\"']?([^\s\"']{4,})"),
]


@dataclass
class FakeScanner:
    """A ProcessRunner: the driver's answer to its own requests, ``other`` for the rest; ``spoil`` changes an answer."""

    other: Callable[[Request], Outcome] | None = None
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = dict
    requests: list[Request] = field(default_factory=list)

    def run(self, request: Request) -> Outcome:
        """What the driver would print."""
        self.requests.append(request)
        if str(DRIVER) not in request.argv:
            if self.other is None:
                raise AssertionError(f"nobody answers {request.argv}")
            return self.other(request)
        document: dict[str, Any] = {
            "schema": SCHEMA, "version": "1", "detectors": ["fake"], "complete": True,
            "files": [], "candidates": [], "allowed": [], "errors": [],
        }  # fmt: skip
        for name in json.loads(request.stdin)["files"]:
            result = scan(name, (Path(request.cwd) / name).read_bytes(), DETECTORS)
            document["files"].append({"path": name, "mode": result["mode"], "lines": result["lines"]})
            document["candidates"].extend(result["candidates"])
            document["allowed"].extend(result["allowed"])
        return outcome(0, json.dumps(self.spoil(document)))
