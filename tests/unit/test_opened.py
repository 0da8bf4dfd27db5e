"""What is opened when a stage asks for it: when the rehearsal's program may be installed, and when not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.execution import engine_installation, registry_program
from pipeline.execution.redaction import SecretRedactor
from pipeline.opened import Opened
from pipeline.settings import Settings
from pipeline.testing import ScriptedRunner, SilentProgress


@pytest.mark.parametrize(
    ("provision", "user", "debian", "installed", "expected"),
    [
        ("auto", 0, True, False, [("docker-registry",)]),
        ("auto", 0, True, True, []),
        ("never", 0, True, False, []),
        ("auto", 1000, True, False, []),
        ("auto", 0, False, False, []),
    ],
    ids=["missing and allowed", "there already", "not allowed", "not root", "no Debian"],
)
def test_the_registry_is_installed_only_where_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    provision: str,
    user: int,
    debian: bool,
    installed: bool,
    expected: Any,
) -> None:
    asked: list[tuple[str, ...]] = []
    machine = SimpleNamespace(user=user, is_debian=debian, find=lambda name: f"/bin/{name}" if installed else None)
    monkeypatch.setattr(engine_installation, "Machine", lambda **_: machine)
    monkeypatch.setattr(engine_installation, "install_packages", lambda _, packages: asked.append(packages))
    monkeypatch.setattr(registry_program, "find_program", lambda: "/bin/docker-registry")
    settings = Settings()
    settings = replace(settings, engine=replace(settings.engine, provision=provision))
    opened = Opened(
        settings,
        tmp_path,
        environ={},
        processes=ScriptedRunner([]),
        progress=SilentProgress(),
        redact=SecretRedactor({}),
    )
    # pylint: disable-next=protected-access  # to open a registry would start it
    assert opened._registry_program() == "/bin/docker-registry"
    assert asked == expected
