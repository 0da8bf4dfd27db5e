"""The tests that a source file holds, read from its syntax tree: what pytest must run, established without pytest."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

FILE_PATTERNS = ("test_*.py", "*_test.py")
"""pytest's default ``python_files``."""


def is_test_file(path: str) -> bool:
    """Whether pytest would look for tests in a file of this name."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in FILE_PATTERNS)


def functions_in(path: str, source: bytes) -> tuple[str, ...]:
    """The node ids, without parameters, of the tests in ``source``; of a file that can't be parsed its path alone.

    They are those of pytest's defaults: functions ``test*``; methods ``test*`` of classes ``Test*`` and of subclasses
    of a ``TestCase``. What pytest would pass over without a failure is listed all the same, for it looks like a test
    and never runs: the methods of a class with a constructor; what says ``__test__ = False``, unless it is a class that
    another class of the file inherits from; and a first definition that a second one of its name hides, as
    ``<id> (hidden)``.
    """
    try:
        with warnings.catch_warnings():
            # The source is only read; what it should be warned of is lint's business.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (path,)
    seen: Counter[str] = Counter()
    names = []
    for name in _names(tree.body, path, _parents(tree)):
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} (hidden)")
    return tuple(names)


def _names(body: Sequence[ast.stmt], prefix: str, parents: frozenset[str]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test") and not _is_fixture(node):
                yield f"{prefix}::{node.name}"
        elif isinstance(node, ast.ClassDef):
            if _is_test_class(node) and not (node.name in parents and _opts_out(node.body)):
                yield from _names(node.body, f"{prefix}::{node.name}", parents)
        else:
            yield from _alternatives(node, prefix, parents)


def _parents(tree: ast.Module) -> frozenset[str]:
    """The names of the classes that a class of the file inherits from."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return frozenset(ast.unparse(base).rpartition(".")[2] for node in classes for base in node.bases)


def _alternatives(node: ast.stmt, prefix: str, parents: frozenset[str]) -> Iterator[str]:
    """The tests in the blocks of a compound statement. Of its branches one is taken, so they don't hide each other."""
    most: Counter[str] = Counter()
    for block in _blocks(node):
        most |= Counter(_names(block, prefix, parents))
    yield from most.elements()


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for branch in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield branch.body


def _is_test_class(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any(ast.unparse(base).endswith("TestCase") for base in node.bases)


def _is_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a decorator is called ``fixture``; a mark such as ``usefixtures`` is another thing."""
    called = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return any(ast.unparse(name).rpartition(".")[2] == "fixture" for name in called)


def _opts_out(body: Sequence[ast.stmt]) -> bool:
    """Whether a class says ``__test__ = False``."""
    return any(
        isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
        and "__test__" in map(ast.unparse, node.targets if isinstance(node, ast.Assign) else [node.target])
        for node in body
    )
