"""cyclonedx-py's command line, and a bill of materials held against the lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import cyclonedx

LOCK, WRITTEN = Path("lock.txt"), Path("out.json")


def document(*components: dict[str, str], kind: str = "CycloneDX", version: str = "1.6") -> str:
    """A bill of materials."""
    return json.dumps({"bomFormat": kind, "specVersion": version, "components": list(components)})


def test_the_bill_is_made_from_the_lock_in_a_named_version() -> None:
    argv = cyclonedx.command("cyclonedx-py", LOCK, WRITTEN)
    assert argv[:2] == ("cyclonedx-py", "requirements")
    assert {"--spec-version=1.6", "--output-reproducible", "--output-file=out.json", "lock.txt"} <= {*argv}


def test_a_bill_that_holds_every_locked_package_leaves_no_doubt() -> None:
    text = document({"name": "Flask", "version": "3.1.0"}, {"name": "six", "version": "1.0-1"})
    assert not cyclonedx.doubts(outcome(0), text, ["flask==3.1.0", "six==1.0.post1"])


def test_a_bill_that_lacks_a_package_says_which() -> None:
    text = document({"name": "flask", "version": "3.0"}, {"name": "click"})
    (sentence,) = cyclonedx.doubts(outcome(0), text, ["flask==3.1.0"])
    assert "lacks 1 locked packages: flask==3.1.0" in sentence


@pytest.mark.parametrize(
    ("result", "text", "said"),
    [
        (outcome(1, stderr="Could not open"), None, "exit code 1"),
        (outcome(0), None, "exit code 0"),
        (outcome(0), '{"bomFormat":', "not whole"),
        (outcome(0), "[]", "not whole"),
        (outcome(0), document(version="1.4"), "not CycloneDX 1.6"),
        (outcome(0), document(kind="SPDX"), "not CycloneDX 1.6"),
    ],
)
def test_a_bill_that_is_no_bill_is_trouble(result: Outcome, text: str | None, said: str) -> None:
    with pytest.raises(ToolTrouble, match=said):
        cyclonedx.doubts(result, text, [])
