"""A context for the audit stage over a few files, with the ports that a test chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pipeline.core.containers import Ownership
from pipeline.core.ports import Environments, Outcome, ProcessRunner, Request, ToolEnvironment
from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.execution.osv_server import served
from pipeline.execution.report_files import write_below
from pipeline.settings import Audit, Settings
from pipeline.stages.context import Context, Ports
from pipeline.testing import FixedClock, ScriptedRunner, SilentProgress, outcome

HASH = f"--hash=sha256:{'0' * 64}"
NOW = datetime(2026, 1, 4, tzinfo=UTC)


class Plain:
    """A redactor that knows no secret."""

    def __call__(self, text: str) -> str:
        """The text."""
        return text

    def also(self, secret: str) -> None:
        """Nothing to remember."""


class NoEnvironments:
    """Environments that are made of nothing."""

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """An environment without a program in it."""
        del locks
        root = Path(f"/nowhere/{title}")
        return ToolEnvironment(root=root, python=root / "bin/python", version="3.13.0", site_packages=root)


def absent(*_: object, **__: object) -> NoReturn:
    """A port that no audit may use."""
    raise AssertionError("an audit has no use for this port")


def lock_of(*requirements: str) -> str:
    """A hashed lock of these requirements, a line each."""
    return "".join(f"{requirement} {HASH}\n" for requirement in requirements)


def audit_context(
    folder: Path,
    files: Mapping[str, str | bytes],
    *,
    processes: ProcessRunner,
    environments: Environments | None = None,
    now: datetime = NOW,
    sources: dict[str, str] | None = None,
    **audit: Any,
) -> Context:
    """The context of one run over ``files``; further arguments are keys of ``[tool.pipeline.audit]``."""
    entries = []
    for name, content in sorted(files.items()):
        data = content if isinstance(content, bytes) else content.encode()
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entries.append(Entry(path=name, kind=Kind.FILE, digest=hashlib.sha256(data).hexdigest(), size=len(data)))
    for part in ("tree", "scratch", "raw", "state"):
        (folder / part).mkdir(exist_ok=True)
    keys = {"lock": "requirements.txt", "requirements": "requirements.in", **audit}
    return Context(
        settings=Settings(audit=Audit(**keys), sources=sources or {}),
        snapshot=Snapshot(
            entries=tuple(entries), commit="0" * 40, branch="main", dirty=False, committed=NOW.isoformat()
        ),
        tree=folder / "tree",
        scratch=folder / "scratch",
        raw=folder / "raw",
        keeper=partial(write_below, folder / "raw"),
        state=folder / "state",
        ports=Ports(
            processes=processes,
            environments=environments or NoEnvironments(),
            clock=FixedClock(now),
            progress=SilentProgress(),
            redact=Plain(),
            engine=absent,
            registries=absent,
            signing=absent,
            advisories=served,
            debian_advisories=absent,
            bases=absent,  # type: ignore[arg-type]  # never used
            releases=absent,  # type: ignore[arg-type]  # never used
            traffic=absent,  # type: ignore[arg-type]  # never used
            wire=absent,  # type: ignore[arg-type]  # never used
            last_change=lambda _: NOW.isoformat(),
            ownership=Ownership(checkout="test", run="test"),
            cache=folder / "cache",
        ),
        results={},
    )


def writes(text: str | None, exit_code: int = 0, stderr: str = "") -> Callable[[Request], Outcome]:
    """A step of a ScriptedRunner: leaves ``text`` where the tool was told to, and ends with ``exit_code``."""

    def step(request: Request) -> Outcome:
        given = next(argument for argument in request.argv if argument.startswith(("--output=", "--output-file=")))
        if text is not None:
            Path(given.partition("=")[2]).write_text(text, encoding="utf-8")
        return outcome(exit_code, stderr=stderr)

    return step


def scripted(*steps: Outcome | Callable[[Request], Outcome]) -> ScriptedRunner:
    """A runner with these steps."""
    return ScriptedRunner(steps)
