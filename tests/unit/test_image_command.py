"""``verify --image`` and ``promote`` on the command line: what they say, their exit codes, and what they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.attestation.statement import Statement
from pipeline.cli import run_command
from tests.memory_registry import MemoryRegistry
from tests.signed_images import IMAGE, STAGES, key, signed_registry, statements, strange_key
from tests.support import write_files

REFERENCE = "registry.example/team/echo:1.0"
POLICY = f"stages = {json.dumps(STAGES)}\n"
Command = Callable[..., int]


@pytest.fixture(name="registry")
def registry_fixture(monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """A registry with a signed image, which every command opens."""
    registry = signed_registry()
    monkeypatch.setattr("pipeline.image_command.opened", lambda *arguments: registry)
    return registry


@pytest.fixture(name="command")
def command_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command with our key and a policy, in a folder without a project."""
    monkeypatch.chdir(tmp_path)
    files = {"ours.pub": key().public_key.pem, "theirs.pub": strange_key().public_key.pem, "policy.toml": POLICY}
    write_files(tmp_path, dict(files))

    def command(*arguments: str, key_file: str = "ours.pub", policy: str = "policy.toml") -> int:
        return run_command([*arguments, "--key", key_file, "--policy", policy])

    return command


def test_a_signed_image_may_be_believed(
    registry: MemoryRegistry, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("verify", "--image", REFERENCE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("confirmed ") and IMAGE.digest in lines[0]
    assert lines[-1].startswith("The image may be believed")
    assert registry.closed
    assert command("verify", "--image", REFERENCE, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["exit_code"], document["image"]) == ("pass", 0, REFERENCE)
    assert {item["answer"] for item in document["statements"]} == {"confirmed", "not confirmed"}


@pytest.mark.usefixtures("registry")
def test_another_key_a_stricter_policy_and_another_image_are_refused(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("verify", "--image", REFERENCE, key_file="theirs.pub") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "The image is not to be believed."
    write_files(tmp_path, {"strict.toml": 'builder = "urn:other"'})
    assert command("verify", "--image", REFERENCE, policy="strict.toml") == 1
    assert command("verify", "--image", "registry.example/team/echo:2.0") == 1
    assert "has no image 2.0" in capsys.readouterr().out


def test_what_a_registry_says_steers_no_terminal(
    registry: MemoryRegistry, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.reference = "registry.example/\x1b[2J\n::error::x"
    assert command("verify", "--image", REFERENCE) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_promotion_is_the_same_bytes_under_another_tag(
    registry: MemoryRegistry, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("promote", REFERENCE, "--to", "production") == 0
    assert registry.manifests["production"] == IMAGE
    assert capsys.readouterr().out.splitlines()[-1] == f"registry.example/team/echo:production is {IMAGE.digest} now."


@pytest.mark.parametrize("said", [statements(result="FAILED"), statements()[:2], []])
def test_what_does_not_say_pass_is_not_promoted(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: list[Statement]
) -> None:
    registry = signed_registry(said)
    monkeypatch.setattr("pipeline.image_command.opened", lambda *arguments: registry)
    before = list(registry.puts)
    assert command("promote", REFERENCE, "--to", "production") == 1
    assert registry.puts == before
    assert capsys.readouterr().out.splitlines()[-1].endswith("It was not promoted.")


def test_what_is_not_there_or_not_kept_is_not_promoted(
    registry: MemoryRegistry, command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("promote", "registry.example/team/echo:2.0", "--to", "production") == 1
    assert command("promote", REFERENCE, "--to", "not a tag") == 2
    real = registry.manifest
    other = replace(IMAGE, body=b"other")
    monkeypatch.setattr(registry, "manifest", lambda name: other if name == "production" else real(name))
    assert command("promote", REFERENCE, "--to", "production") == 3
    assert "does not keep the tag production" in capsys.readouterr().err


def test_what_lies_in_a_folder_is_not_promoted(command: Command, tmp_path: Path) -> None:
    write_files(tmp_path, {"folder/index.json": '{"manifests": []}'})
    assert command("promote", "oci:folder:1.0", "--to", "production") == 2


def test_options_that_do_not_belong_together_are_refused(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("verify") == 2
    assert "are for images" in capsys.readouterr().err
    assert command("verify", "reports", "--image", REFERENCE) == 2
    assert "Either a report is verified or an image" in capsys.readouterr().err
    assert command("verify", "--image", REFERENCE, policy="none.toml") == 2
    assert "The policy 'none.toml' can't be read" in capsys.readouterr().err
    assert run_command(["verify", "--image", REFERENCE]) == 2
    assert "Nobody has said whose signature counts" in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


@pytest.mark.usefixtures("registry")
def test_in_a_project_its_settings_count(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = f"""[project]
name = "echo"
[tool.pipeline]
required = ["test", "build", "push"]
[tool.pipeline.push]
registry = "registry.example"
public_key = "{tmp_path}/ours.pub"
"""
    write_files(tmp_path, {"pyproject.toml": settings})
    assert run_command(["verify", "--image", "1.0"]) == 0
    assert "These stages have passed: test, build." in capsys.readouterr().out
    write_files(tmp_path, {"pyproject.toml": settings + f'policy = "{tmp_path}/policy.toml"\n'})
    assert run_command(["promote", "1.0", "--to", "production"]) == 0
    assert command("verify", "--image", "1.0", key_file="theirs.pub") == 1
