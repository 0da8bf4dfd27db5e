"""The registry program of this machine: found, missing, or one that can't be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RegistryTrouble
from pipeline.execution import registry_program
from pipeline.execution.registry_program import ProgramStarter, find_program, installed_program


def test_it_is_found_where_it_is_installed_and_missed_with_every_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_program, "PROGRAM", "sh")
    assert find_program() == installed_program() != ""
    monkeypatch.setattr(registry_program, "PROGRAM", "no-such-registry")
    assert installed_program() == ""
    with pytest.raises(RegistryTrouble, match="apt-get install -y docker-registry; or bring the image registry:2"):
        find_program()


def test_it_is_started_with_its_configuration_on_loopback(tmp_path: Path) -> None:
    starter = ProgramStarter("/bin/echo")
    assert starter.seen(5001, tmp_path) == {"addr": "127.0.0.1:5001", "root": str(tmp_path)}
    log = tmp_path / "log"
    served = starter.start(tmp_path / "registry.json", port=5001, storage=tmp_path, log=log)
    while served.running:
        pass
    served.stop()
    assert log.read_text(encoding="utf-8") == f"serve {tmp_path}/registry.json\n"


def test_one_that_can_not_be_started_is_trouble_with_the_command_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(RegistryTrouble, match="Mend the installation: apt-get install -y docker-registry"):
        ProgramStarter("/no/such/program").start(
            tmp_path / "registry.json", port=1, storage=tmp_path, log=tmp_path / "log"
        )
