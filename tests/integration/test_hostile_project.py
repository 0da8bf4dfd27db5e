"""A project that is hostile wherever it can be, through the real tools: nothing of it acts, and no secret comes out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.reporters import FORMATS
from tests.hostile import PAYLOADS, commands_in, unseen_in
from tests.projects import git
from tests.report_readers import READERS
from tests.support import PASSWORD
from tests.traps.collection import base_files

# A secret of the environment that runs the pipeline, which the project knows from somewhere; of nobody.
TOKEN = "".join(("h1dd3n", "+t0k3n/", "0f~nobody", "&more"))
IN_URL = "".join(("n0t-", "f0r-", "y0ur-3yes"))
STAGES = ("lint", "scan", "secrets", "test")
COMMANDS = "::set-output name=a::b ##[error]planted ##vso[task.complete]x \x1b]0;title\x07\x1b[2J \u202eexe.txt"
NAMES = (
    "service/a\n::set-output name=x::y.py",
    "service/\x1b[2J\x1b]0;title\x07.py",
    "service/<script>alert(1)<!--.py",
    "service/##[error]planted.py",
    "service/@user #1 [x](javascript:alert(1)) `y`.py",
    "service/\u202eyp.exe.py",
    "service/=cmd|' &calc'!A0.py",
    'service/]]>&amp;".py',
    "service/-rf.py",
    f"service/{quote(TOKEN, safe='')}.py",
)
_TESTS = '''
"""Tests that say whatever they like."""

import sys

import pytest

PAYLOADS = {payloads!r}


@pytest.mark.parametrize("text", PAYLOADS, ids=[*map(repr, PAYLOADS)])
def test_payload(text):
    """It is printed, and is not what it should be."""
    print(text, file=sys.stderr)
    assert text == "harmless", text


def test_knows_a_secret():
    """It is printed in several forms."""
    print({told!r})
    assert {told!r} == {password!r}, {told!r}
'''


def _forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [secret, quote(secret, safe=""), *(base64.b64encode(b"user"[:n] + raw + b"!").decode() for n in range(3))]


def _files() -> dict[str, str]:
    told = " ".join((*_forms(TOKEN), *_forms(PASSWORD), f"https://user:{IN_URL}@example.org/x"))
    # Of surrogates no source can be made.
    payloads = [text for text in PAYLOADS if text.isascii() and "\0" not in text][:60]
    document, greeting = '"""A module."""\n\n', base_files()["service/app.py"]
    source = f'{document}import os  # TODO {COMMANDS} <script>\n\npassword = "{PASSWORD}"  # FIXME {told}\n'
    return {
        **base_files(),
        **{name: source for name in NAMES},
        "service/app.py": f'{greeting}\n\nPASSWORD = "{PASSWORD}"\nassert PASSWORD  # FIXME {told}\n',
        "service/tests/test_app.py": _TESTS.format(payloads=payloads, told=told, password=PASSWORD),
        "CODEOWNERS": "* @owner\x1b[2J ::error::x\n",
    }


@dataclass(frozen=True)
class Ran:
    """What a run has left: its exit code, what it printed, and the project."""

    code: int
    printed: str
    project: Path


def _pipeline(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "GITHUB_", "CI"))}
    address = f"https://user:{IN_URL}@index.invalid/simple"
    variables = {
        **kept,
        "DEPLOY_TOKEN": TOKEN,
        "SOME_ADDRESS": address,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **environ,
    }
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], cwd=project, env=variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
        encoding="utf-8", errors="surrogateescape",
    )  # fmt: skip


@pytest.fixture(name="ran", scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The project, and its static stages and tests once through."""
    project = tmp_path_factory.mktemp("hostile") / "project"
    for name, text in _files().items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    # Where the reports of the stages are to lie.
    (project / "reports").mkdir()
    outside = tmp_path_factory.mktemp("outside")
    (outside / "precious").touch()
    (project / "reports/stages").symlink_to(outside)
    ended = _pipeline(project, "run", *STAGES)
    yield Ran(ended.returncode, ended.stdout, project)
    assert os.listdir(outside) == ["precious"]


def test_the_run_comes_to_its_end(ran: Ran) -> None:
    assert ran.code == 1, ran.printed
    report = json.loads((ran.project / "reports/pipeline.json").read_text(encoding="utf-8"))
    statuses = {stage["name"]: stage["status"] for stage in report["stages"]}
    assert [statuses[name] for name in STAGES] == ["fail"] * 4, report["stages"]
    assert len(report["findings"]) > 100


def test_nothing_printed_steers_the_terminal_or_the_ci_system(ran: Ran) -> None:
    assert (unseen_in(ran.printed), commands_in(ran.printed)) == ("", [])
    assert "\\x1b[2J" in ran.printed


def test_no_secret_is_printed_or_written(ran: Ran) -> None:
    texts = {"the terminal": ran.printed}
    for folder in ("reports", ".pipeline/state"):
        for path in (ran.project / folder).rglob("*"):
            if path.is_file():
                texts[str(path.relative_to(ran.project))] = path.read_bytes().decode("utf-8", "backslashreplace")
    assert len(texts) > 30
    shown = [(name, form) for name, text in texts.items() for form in _hidden() if form in text]
    assert not shown
    assert "[secret]" in texts["reports/stages/test/raw/junit.log"]


def _hidden() -> Iterator[str]:
    for secret in (TOKEN, PASSWORD, IN_URL):
        # Without what neighbours have a part in.
        yield from (form[4:-4] for form in (*_forms(secret), json.dumps(secret)))
        # A part that every way to escape the rest leaves alone.
        yield max(secret.replace("+", "/").replace("~", "/").replace("&", "/").split("/"), key=len)


def test_every_report_is_read_back_by_others(ran: Ran) -> None:
    reports = ran.project / "reports"
    found = [path for path in reports.rglob("*") if path.is_file() and "raw" not in path.parts]
    assert len(found) > 20
    for path in found:
        text = path.read_text(encoding="utf-8")
        assert (unseen_in(text), commands_in(text)) == ("", []), path
        place = path.relative_to(reports).as_posix()
        for made in FORMATS.values():
            for glob, name in zip(made.globs, made.places, strict=True):
                if fnmatchcase(place, glob):
                    READERS[name][0](text)


def test_the_report_can_be_verified(ran: Ran) -> None:
    ended = _pipeline(ran.project, "verify")
    assert "contradicted" not in ended.stdout, ended.stdout
    assert (unseen_in(ended.stdout), commands_in(ended.stdout)) == ("", [])
    told = _pipeline(ran.project, "verdict").stdout
    assert (unseen_in(told), commands_in(told)) == ("", [])


def test_in_github_actions_only_our_own_commands_are_printed(ran: Ran) -> None:
    ended = _pipeline(ran.project, "run", "scan", GITHUB_ACTIONS="true")
    found = commands_in(ended.stdout)
    assert set(found) <= {"group", "endgroup", "error", "warning", "notice"}
    assert "error" in found
    assert not unseen_in(ended.stdout)
    assert not [form for form in _hidden() if form in ended.stdout]
