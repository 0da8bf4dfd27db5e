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

    pytest's defaults are followed: functions ``test*``; methods ``test*`` of classes ``Test*`` without a constructor,
    and of subclasses of a ``TestCase``; nothing of what says ``__test__ = False``. A second definition of a name hides
    the first, which then never runs: it is listed as ``<id> (hidden)``.
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
    for name in _names(tree.body, path):
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} (hidden)")
    return tuple(names)


def _names(body: Sequence[ast.stmt], prefix: str) -> Iterator[str]:
    if _opts_out(body):
        return
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test") and not _is_fixture(node):
                yield f"{prefix}::{node.name}"
        elif isinstance(node, ast.ClassDef):
            if _is_test_class(node):
                yield from _names(node.body, f"{prefix}::{node.name}")
        else:
            yield from _alternatives(node, prefix)


def _alternatives(node: ast.stmt, prefix: str) -> Iterator[str]:
    """The tests in the blocks of a compound statement. Of its branches one is taken, so they don't hide each other."""
    most: Counter[str] = Counter()
    for block in _blocks(node):
        most |= Counter(_names(block, prefix))
    yield from most.elements()


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for branch in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield branch.body


def _is_test_class(node: ast.ClassDef) -> bool:
    if any(ast.unparse(base).endswith("TestCase") for base in node.bases):
        return True
    made = any(isinstance(item, ast.FunctionDef) and item.name in ("__init__", "__new__") for item in node.body)
    return node.name.startswith("Test") and not made


def _is_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a decorator is called ``fixture``; a mark such as ``usefixtures`` is another thing."""
    called = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return any(ast.unparse(name).rpartition(".")[2] == "fixture" for name in called)


def _opts_out(body: Sequence[ast.stmt]) -> bool:
    """Whether a module or class says ``__test__ = False``."""
    return any(
        isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
        and "__test__" in map(ast.unparse, node.targets if isinstance(node, ast.Assign) else [node.target])
        for node in body
    )
