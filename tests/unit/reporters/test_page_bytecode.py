"""The templates' bytecode: used again only for the very same templates, and never when it was damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from pipeline.reporters.page_bytecode import PackageBytecode

ROOT = Path(__file__).parents[3]
GENERATE: Callable[..., object] = vars(Environment)["_generate"]
_COMPILED = """
import sys
from jinja2 import Environment
from pipeline.reporters import page
from tests.samples import passed, report

compiled = []
write = Environment._compile
Environment._compile = lambda *given: compiled.append(1) or write(*given)
text = page.render(report(passed()))
print(len(compiled), hash(text), text == page.render(report(passed())))
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "a.html").write_text("{{ x }} and {{ y }}", encoding="utf-8")
    (tmp_path / "code.py").write_text("1", encoding="utf-8")
    return tmp_path


def rendered(folder: Path) -> tuple[str, bool]:
    """The template's text in a new environment, and whether it was compiled for it."""
    compiled: list[object] = []

    def noted(environment: Environment, *given: object, **more: object) -> object:
        compiled.append(environment)
        return GENERATE(environment, *given, **more)

    cache = PackageBytecode(folder, (folder / "code.py",))
    environment = Environment(loader=FileSystemLoader(folder), bytecode_cache=cache, autoescape=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "_generate", noted)
        return environment.get_template("a.html").render(x=1, y=2), bool(compiled)


def test_the_same_template_is_compiled_once(folder: Path) -> None:
    assert [rendered(folder) for _ in range(3)] == [("1 and 2", True), ("1 and 2", False), ("1 and 2", False)]
    assert [path.name for path in (folder / "__pycache__").iterdir()] == [f"a.html.{sys.implementation.cache_tag}.pyc"]


def test_another_template_and_other_code_are_compiled_anew(folder: Path) -> None:
    rendered(folder)
    (folder / "a.html").write_text("{{ y }}", encoding="utf-8")
    assert rendered(folder) == ("2", True)
    (folder / "code.py").write_text("2", encoding="utf-8")
    assert rendered(folder) == ("2", True)
    assert rendered(folder) == ("2", False)


@pytest.mark.parametrize(
    "damage", [lambda text: b"", lambda text: text[:40], lambda text: text[:-1], lambda text: text[:-1] + b"\0\0"]
)
def test_what_is_not_as_it_was_written_is_not_used(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    rendered(folder)
    (place,) = (folder / "__pycache__").iterdir()
    place.write_bytes(damage(place.read_bytes()))
    assert rendered(folder) == ("1 and 2", True)
    assert rendered(folder) == ("1 and 2", False)


def test_where_python_writes_none_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(folder) == ("1 and 2", True)
    assert not (folder / "__pycache__").exists()


def test_a_place_that_can_t_be_written_costs_the_time_alone(folder: Path) -> None:
    (folder / "__pycache__").write_text("in the way", encoding="utf-8")
    assert rendered(folder) == ("1 and 2", True)


def test_the_page_is_the_same_with_it_as_without(tmp_path: Path) -> None:
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONHASHSEED": "1"}
    command = (sys.executable, "-c", _COMPILED)
    first, second = (
        subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True).stdout.split()
        for _ in range(2)
    )
    assert int(first[0]) > 5
    assert second[0] == "0"
    assert first[1:] == second[1:]
