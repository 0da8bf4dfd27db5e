"""The direction of imports that DESIGN.md draws, read from the syntax trees, wherever in a file an import stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
OURS = [*MODULES, *sorted(path for path in (ROOT / "service").rglob("*.py") if "tests" not in path.parts)]
LEAVES = frozenset(
    {
        "errors",
        "settings",
        "settings_cache",
        "settings_expect",
        "settings_keys",
        "settings_push",
        "settings_run",
        "settings_smoke",
        "settings_values",
    }
)
# What the modules of a package may import of ours, besides their own package. What stands beside the packages composes.
ALLOWED = {
    "core": frozenset({"errors"}),
    "images": LEAVES | {"core"},
    "tools": LEAVES | {"core"},
    "attestation": LEAVES | {"core"},
    "stages": LEAVES | {"core", "tools", "images", "attestation"},
    "execution": LEAVES | {"core", "images"},
    "engines": LEAVES | {"core"},
    "reporters": LEAVES | {"core"},
    "exporters": LEAVES | {"core"},
    # Derives results again from a finished report, so it knows what made them.
    "rederivation": LEAVES | {"core", "tools", "stages", "images", "attestation", "against", "policy_stage"},
}
CONSOLE = frozenset(path.stem for path in (ROOT / "pipeline").glob("console*.py"))
LEAF_MODULES = {
    "errors": frozenset[str](),
    "settings_expect": frozenset({"core"}),
    "settings_keys": frozenset({"core"}),
    "settings_build": frozenset({"settings_keys"}),
    "settings_push": frozenset({"settings_keys"}),
    "settings_run": frozenset({"settings_keys"}),
    "settings_cache": frozenset({"settings_keys"}),
    "settings_smoke": frozenset({"settings_keys"}),
    "settings": frozenset(
        {"core", *(f"settings_{name}" for name in ("build", "cache", "keys", "push", "run", "smoke"))}
    ),
    "settings_values": frozenset({"core", "settings", "settings_expect", "settings_keys"}),
    **dict.fromkeys(CONSOLE, CONSOLE | {"core", "errors"}),
    "testing": frozenset({"core", "errors"}),
    "interrupts": frozenset[str](),
}
# Programs that another interpreter runs: not imported by ours, and free to end their own process.
PROGRAMS = frozenset({"pipeline/tools/secret_scanner_driver.py"})
STARTS = frozenset({"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"})


@dataclass(frozen=True)
class Import:
    """An import of one of our modules; ``late`` when it is in a function or for type checking alone."""

    target: str
    line: int
    late: bool


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.Module, package: str, known: frozenset[str]) -> Iterator[Import]:
    """Every import in ``tree``, by the full name of the module, wherever it stands; relative ones from ``package``."""
    late_nodes = {id(inner) for node in ast.walk(tree) if _makes_late(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        late = id(node) in late_nodes
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, late)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known else base, node.lineno, late)


def _makes_late(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return True
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


KNOWN = frozenset(map(_name, MODULES))


def _imports(path: Path) -> list[Import]:
    package = _name(path) if path.name == "__init__.py" else _name(path).rpartition(".")[0]
    return list(imports_of(_tree(path), package, KNOWN))


def _part(module: str) -> str:
    """The package or module below ``pipeline`` that a name belongs to."""
    return module.split(".")[1] if "." in module else ""


def forbidden(part: str, targets: list[Import]) -> list[Import]:
    """The imports that a module of ``part`` must not have."""
    allowed = ALLOWED.get(part, LEAF_MODULES.get(part))
    if allowed is None:
        return []
    ours = [item for item in targets if item.target.split(".")[0] == "pipeline"]
    return [item for item in ours if _part(item.target) not in allowed | {part}]


@pytest.mark.parametrize("path", MODULES, ids=_shown)
def test_imports_go_in_one_direction(path: Path) -> None:
    wrong = forbidden(_part(_name(path)), _imports(path))
    assert not wrong, [f"{_shown(path)}:{item.line} imports {item.target}" for item in wrong]


def test_every_package_has_its_rule() -> None:
    packages = {path.name for path in (ROOT / "pipeline").iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert packages <= set(ALLOWED)
    assert {path.stem for path in (ROOT / "pipeline").glob("*.py")} >= LEAVES


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("core", "from pipeline.settings import Settings"),
        ("core", "import pipeline.execution.files"),
        ("core", "from ..execution import files"),
        ("core", "from pipeline import settings"),
        ("tools", "def f():\n    from pipeline.stages import lint"),
        ("stages", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.execution.files import x"),
        ("engines", "from pipeline.execution.processes import LocalProcesses"),
        ("reporters", "from pipeline.run import Run"),
        ("execution", "from pipeline import reporters"),
        ("errors", "from pipeline.core.stage import Status"),
    ],
)
def test_a_planted_import_is_seen(part: str, source: str) -> None:
    assert forbidden(part, list(imports_of(ast.parse(source), f"pipeline.{part}", KNOWN)))


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        _name(path): {item.target for item in _imports(path) if not item.late and item.target in KNOWN}
        for path in MODULES
    }
    assert sum(map(len, graph.values())) > 100
    done: set[str] = set()

    def _visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for target in graph[module] - {module}:
                _visit(target, (*way, module))
            done.add(module)

    for module in graph:
        _visit(module, ())


def _calls(path: Path) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", OURS, ids=_shown)
def test_one_module_starts_processes(path: Path) -> None:
    if _shown(path) == "pipeline/execution/processes.py":
        return
    imported = {item.target.split(".")[0] for item in imports_of(_tree(path), "", frozenset())}
    assert not imported & {"subprocess", "multiprocessing", "pty"}
    for call in _calls(path):
        module, _, name = call.rpartition(".")
        # A fork is no other program, and there is one place for it too.
        is_worker = _shown(path) == "pipeline/execution/workers.py" and call == "os.fork"
        assert is_worker or not (module == "os" and (name in STARTS or name.startswith(("exec", "spawn")))), call
        assert not name.startswith("create_subprocess"), call


@pytest.mark.parametrize("path", MODULES, ids=_shown)
def test_one_module_ends_the_process(path: Path) -> None:
    ends = [call for call in _calls(path) if call in ("sys.exit", "os._exit", "os.abort", "exit", "quit")]
    tree = _tree(path)
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise) and "SystemExit" in ast.unparse(node)]
    if _shown(path) == "pipeline/nox_sessions.py":
        (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "refuse")
        raised = [node for node in raised if node not in set(ast.walk(function))]
    if _shown(path) == "pipeline/execution/workers.py":
        # The end of a process that it has forked.
        ends.remove("os._exit")
    if _shown(path) not in {"pipeline/__main__.py", *PROGRAMS}:
        assert not ends
        assert not raised


@pytest.mark.parametrize("path", OURS, ids=_shown)
def test_a_file_tells_one_story(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def _undocumented(tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield "the module"
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
    for body in bodies:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
                continue
            if not ast.get_docstring(node):
                yield node.name


@pytest.mark.parametrize("path", OURS, ids=_shown)
def test_everything_public_is_explained(path: Path) -> None:
    assert not list(_undocumented(_tree(path)))


def test_what_is_not_explained_is_seen() -> None:
    source = "class A:\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...\nclass _E:\n    def f(self): ...\n"
    assert list(_undocumented(ast.parse(source))) == ["the module", "A", "d", "b"]
