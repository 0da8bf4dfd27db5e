"""What ``secrets`` makes of the scanner's output, and how it runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.evidence import Control
from pipeline.core.finding import Finding, Severity
from pipeline.core.ports import Outcome, Request
from pipeline.core.snapshot import Entry, Kind
from pipeline.core.stage import Examination, NotChecked, Status, Suppression
from pipeline.core.verdict import conclude
from pipeline.errors import ToolTrouble
from pipeline.settings import Exclusion, Secrets, Settings
from pipeline.stages.secrets import CONTROLS, SecretsStage, assess, elsewhere, planted
from pipeline.testing import ScriptedRunner, outcome
from pipeline.tools import secret_scanner
from tests.support import ALLOW, PASSWORD, FakeEnvironments, make_context, snapshot_of, write_files

FILES = ("a.txt", "b.txt")
CAUGHT = (Control(tool="detect-secrets", planted="AWS access key", caught=True),)
FOUND = Finding(rule="secret-keyword", tool="detect-secrets", severity=Severity.HIGH, message="m", path="a.txt", line=1)


def output(**changes: Any) -> secret_scanner.Output:
    return replace(secret_scanner.Output(findings=(), checked=frozenset(FILES), detectors=28), **changes)


def status(examination: Examination) -> Status:
    return conclude(examination)[0]


def test_everything_checked_and_nothing_found_is_a_pass() -> None:
    assert status(assess(FILES, output(), CAUGHT)) is Status.PASS


def test_one_credential_fails() -> None:
    result, reasons = conclude(assess(FILES, output(findings=(FOUND,)), CAUGHT))
    assert result is Status.FAIL
    assert reasons == ("credentials of severity high or worse: allowed 0, found 1.",)


def test_a_file_that_was_not_read_to_its_end_is_inconclusive() -> None:
    examined = assess(FILES, output(checked=frozenset({"a.txt"}), doubts=("b.txt could not be read.",)), CAUGHT)
    assert status(examined) is Status.INCONCLUSIVE
    assert "b.txt" in " ".join(conclude(examined)[1])


def test_one_control_that_was_not_caught_is_inconclusive() -> None:
    controls = (*CAUGHT, Control(tool="detect-secrets", planted="password in a setting", caught=False))
    assert status(assess(FILES, output(), controls)) is Status.INCONCLUSIVE


def test_what_was_let_through_and_left_out_is_listed() -> None:
    allowed = (Suppression(kind="allowlist", path="a.txt", line=1, text="pragma"),)
    binary = (NotChecked(what="b.txt", reason="Binary."),)
    examined = assess(FILES, output(allowed=allowed, not_checked=binary), CAUGHT, (NotChecked(what="x", reason="y"),))
    assert [n.what for n in examined.not_checked] == ["x", "b.txt"]
    assert examined.metrics == {"files": 2, "detectors": 28, "allowlisted": 1}


def test_links_are_covered_by_their_target_or_named_and_submodules_are_named(tmp_path: Path) -> None:
    tree = write_files(tmp_path, {"folder/file.txt": "", "top.txt": ""})
    for name, target in {
        "to-file": "folder/file.txt", "to-folder": "folder", "folder/up": "../top.txt", "outside": "../../etc/passwd",
        "absolute": "/etc/passwd", "nowhere": "gone",
    }.items():  # fmt: skip
        (tree / name).symlink_to(target)
    submodule = Entry(path="sub", kind=Kind.SUBMODULE, digest="d")
    named = elsewhere(snapshot_of(tree, extra=(submodule,)), tree)
    assert [n.what for n in named] == ["sub", "absolute", "nowhere", "outside"]


def test_planted_credentials_differ_with_the_seed_and_stand_in_no_source() -> None:
    assert planted("a") == planted("a")
    assert planted("a") != planted("b")
    assert set(planted("a")) == set(CONTROLS)


# --- running --------------------------------------------------------------------------------------------------------

Step = Callable[[Request], Outcome]


def candidate(path: str, kind: str, rule: str, value: str) -> dict[str, Any]:
    return {
        "path": path, "line": 1, "text": f"x = {value}", "type": rule, "kind": kind, "value": value, "whole": value,
        "name": "x",
        "quoted": True, "renamed": False, "body": ["the-body-of-it"],
    }  # fmt: skip


def driver(*candidates: dict[str, Any], **changes: Any) -> Step:
    """A driver that prints this for what it is given."""

    def step(request: Request) -> Outcome:
        files = [{"path": name, "mode": "text", "lines": 1} for name in json.loads(request.stdin)["files"]]
        document = {
            "schema": secret_scanner.SCHEMA, "version": "1.5.0", "detectors": ["One"], "files": files,
            "candidates": candidates,
            "allowed": [], "errors": [], "complete": True,
        }  # fmt: skip
        return outcome(0, json.dumps({**document, **changes}))

    return step


def catching() -> Step:
    names = list(CONTROLS)
    return driver(
        candidate(names[0], "AWSKeyDetector", "AWS Access Key", "some-key-1"),
        candidate(names[1], "KeywordDetector", "Secret Keyword", "some-pass-1"),
    )


def run(
    tmp_path: Path, files: dict[str, str | bytes], *steps: Step, settings: Secrets | None = None
) -> tuple[Examination, ScriptedRunner]:
    tree = write_files(tmp_path / "tree", files)
    runner = ScriptedRunner(steps)
    environments = FakeEnvironments({"detect-secrets": "1.5.0"})
    context = make_context(
        tmp_path / "run", tree, Settings(secrets=settings or Secrets()), processes=runner, environments=environments
    )
    examined = SecretsStage().run(context)
    assert context.ports.redact(f"x {PASSWORD}") in (f"x {PASSWORD}", "x [secret]")
    return examined, runner


def test_a_run_scans_every_file_then_the_planted_ones(tmp_path: Path) -> None:
    examined, runner = run(tmp_path, {"a.txt": "", "b.lock": "", "c.bin": b"\0"}, driver(), catching())
    assert status(examined) is Status.PASS
    assert examined.evidence.checked == {"a.txt", "b.lock", "c.bin"}
    assert [(tool.name, tool.version) for tool in examined.tools] == [("detect-secrets", "1.5.0")]
    real, control = runner.requests[0], runner.requests[1]
    assert real.argv == control.argv
    assert json.loads(control.stdin)["files"] == list(CONTROLS)
    assert sorted(path.name for path in control.cwd.iterdir()) == sorted(CONTROLS)


def test_a_found_secret_is_masked_from_then_on_and_is_in_nothing_that_is_kept(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"a.txt": ""})
    found = candidate("a.txt", "KeywordDetector", "Secret Keyword", PASSWORD)
    context = make_context(tmp_path / "run", tree, Settings(), processes=ScriptedRunner([driver(found), catching()]))
    examined = SecretsStage().run(context)
    assert status(examined) is Status.FAIL
    assert context.ports.redact(f"{PASSWORD} the-body-of-it") == "[secret] [secret]"
    kept = (tmp_path / "run/raw/secrets.json").read_text(encoding="utf-8")
    assert PASSWORD not in kept
    assert json.loads(kept)["secrets"][0]["path"] == "a.txt"
    assert PASSWORD not in str(examined)


@pytest.mark.parametrize(
    "steps", [(driver(), driver()), (driver(), driver(candidate("planted.env", "X", "Other", "v")))]
)
def test_planted_credentials_that_are_not_found_are_not_caught(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    examined, _ = run(tmp_path, {"a.txt": ""}, *steps)
    assert status(examined) is Status.INCONCLUSIVE


def test_a_damaged_output_is_trouble_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble):
        run(tmp_path, {"a.txt": ""}, lambda request: outcome(0, "{"))
    assert not list((tmp_path / "run/raw").iterdir())


def test_no_file_is_no_pass_and_an_excluded_one_is_named(tmp_path: Path) -> None:
    settings = Secrets(exclude=(Exclusion(path="a.txt", reason="Samples for a test."),))
    examined, runner = run(tmp_path, {"a.txt": ""}, settings=settings)
    assert status(examined) is Status.FAIL
    assert [f.rule for f in examined.findings] == ["excludes-everything"]
    assert [n.reason for n in examined.not_checked] == ["Samples for a test."]
    assert not runner.requests


def allowing(*comments: tuple[str, int, bool]) -> Step:
    return driver(allowed=[{"path": p, "line": n, "text": ALLOW, "hides": hides} for p, n, hides in comments])


@pytest.mark.parametrize(
    ("content", "obeyed", "expected"),
    [
        (f"x  # {ALLOW} - a sample word\n", [("a.txt", 1, True)], Status.PASS),
        (f"x  # {ALLOW}\n", [("a.txt", 1, True)], Status.FAIL),
        (f"x  # {ALLOW} - a sample word\n", [("a.txt", 1, False)], Status.FAIL),
        (f"x  # {ALLOW} - a sample word\n", [("a.txt", 1, True), ("a.txt", 2, True)], Status.INCONCLUSIVE),
    ],
)
def test_allow_lists_need_a_reason_a_use_and_our_own_eyes(
    tmp_path: Path, content: str, obeyed: list[tuple[str, int, bool]], expected: Status
) -> None:
    examined, _ = run(tmp_path, {"a.txt": content}, allowing(*obeyed), catching())
    assert status(examined) is expected
    assert [(s.kind, s.line) for s in examined.suppressions] == [("allowlist", 1)]


def test_allow_lists_have_a_most_and_are_found_in_every_encoding(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.ini": f"x=1 ; {ALLOW} - a sample word\n",
        "b.js": f"x // {ALLOW} - a sample word\n".encode("utf-16"),
    }
    obeyed = allowing(("a.ini", 1, True), ("b.js", 1, True))
    examined, _ = run(tmp_path, files, obeyed, catching(), settings=Secrets(max_allowlisted=1))
    assert conclude(examined) == (Status.FAIL, ("allow-listed secrets: allowed at most 1, found 2.",))


def test_the_settings_can_not_make_it_impossible(tmp_path: Path) -> None:
    SecretsStage().check_settings(Settings(), snapshot_of(tmp_path))
