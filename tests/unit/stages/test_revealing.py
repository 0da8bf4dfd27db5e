"""The credentials in the files are found before any stage shows one, without searching what is known to hold none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.finding import Finding, Severity
from pipeline.settings import Settings
from pipeline.stages import revealing
from pipeline.stages.context import Context
from pipeline.stages.revealing import identity, values_in
from pipeline.stages.secrets import SecretsStage
from pipeline.testing import ScriptedRunner
from pipeline.tools.secret_scanner import Output
from tests.support import PASSWORD, make_context, recorded, snapshot_of, write_files

FILES = {"a.py": "a", "b.env": f"X={PASSWORD}", "c.py": "c"}


class _Search:
    """A scanner that finds the password where it stands; ``asked`` are the files that it was given."""

    def __init__(self, context: Context, unread: str = "") -> None:
        self.asked: list[tuple[str, ...]] = []
        self._tree = context.tree
        self._unread = unread

    def __call__(self, names: tuple[str, ...]) -> Output:
        self.asked.append(names)
        found = [name for name in names if PASSWORD in (self._tree / name).read_text(encoding="utf-8")]
        finding = Finding(rule="x", tool="detect-secrets", severity=Severity.HIGH, message="x")
        return Output(
            findings=tuple(replace(finding, path=name) for name in found),
            checked=frozenset(names) - {self._unread},
            values=(PASSWORD,) * bool(found),
        )


@pytest.fixture(name="context")
def made(tmp_path: Path) -> Context:
    """A context for the files."""
    return make_context(tmp_path, write_files(tmp_path / "tree", FILES), Settings())


def _again(context: Context, files: Mapping[str, str]) -> Context:
    """The same checkout with other contents."""
    return replace(context, snapshot=snapshot_of(write_files(context.tree, files)))


def _reveal(context: Context, search: _Search, scanner: str = "s1") -> tuple[str, ...]:
    return values_in(context, context.snapshot.files(), scanner, search).values


def test_all_files_are_searched_once_and_those_with_a_credential_again(context: Context) -> None:
    search = _Search(context)
    assert [_reveal(context, search) for _ in range(2)] == [(PASSWORD,)] * 2
    assert search.asked == [tuple(FILES), ("b.env",)]


def test_what_has_changed_is_searched_again(context: Context) -> None:
    search = _Search(context)
    _reveal(context, search)
    later = _again(context, {"c.py": "other", "b.env": "clean", "d.py": "new"})
    assert _reveal(later, search) == ()
    assert search.asked[1:] == [("b.env", "c.py", "d.py")]
    assert _reveal(later, search) == ()
    assert len(search.asked) == 2


def test_what_could_not_be_read_is_searched_again(context: Context) -> None:
    search = _Search(context, unread="a.py")
    _reveal(context, search)
    _reveal(context, search)
    assert search.asked[1] == ("a.py", "b.env")


def test_another_scanner_knows_nothing_of_what_one_has_found(context: Context) -> None:
    search = _Search(context)
    _reveal(context, search)
    _reveal(context, search, "s2")
    assert search.asked == [tuple(FILES)] * 2


@pytest.mark.parametrize(
    "damage", ["", "[", "[]", "{}", '{"scanner": "s1"}', '{"scanner": "s1", "files": [1]}', "[" * 100_000]
)
def test_a_damaged_memory_is_none(context: Context, damage: str) -> None:
    search = _Search(context)
    _reveal(context, search)
    (memory,) = context.state.glob("*.json")
    memory.write_text(damage, encoding="utf-8")
    _reveal(context, search)
    assert search.asked == [tuple(FILES)] * 2


def test_no_value_is_remembered(context: Context) -> None:
    _reveal(context, _Search(context))
    (memory,) = context.state.iterdir()
    assert PASSWORD not in memory.read_text(encoding="utf-8")
    assert json.loads(memory.read_text(encoding="utf-8"))["files"].keys() == {"a.py", "c.py"}


def test_the_scanner_is_known_by_its_environment_and_our_code() -> None:
    assert len({identity("secrets-1"), identity("secrets-2")}) == 2
    assert len(revealing.PARTS) == 3


def test_the_stage_searches_no_file_twice_in_one_run(tmp_path: Path) -> None:
    ended, _ = recorded("secrets", "findings", tmp_path / "tree")
    document = json.loads(ended.stdout)
    tree = write_files(tmp_path / "tree", {file["path"]: "x" for file in document["files"]})
    runner = ScriptedRunner([ended, ended])
    context = make_context(tmp_path / "run", tree, Settings(), processes=runner)
    stage = SecretsStage()
    values = stage.reveal(context)
    assert PASSWORD in values
    examined = stage.run(context)
    assert examined.findings
    # One search of the files, one of the planted ones.
    assert len(runner.requests) == 2


def test_nothing_is_searched_where_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    assert not SecretsStage().reveal(make_context(tmp_path / "run", tmp_path / "tree", Settings()))
