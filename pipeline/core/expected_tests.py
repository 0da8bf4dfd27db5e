"""The tests that a source file holds, read from its syntax tree: what pytest must run, established without pytest."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

FILE_PATTERNS = ("test_*.py", "*_test.py")
"""pytest's default ``python_files``."""


def is_test_file(path: str) -> bool:
    """Whether pytest would look for tests in a file of this name."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in FILE_PATTERNS)


def functions_in(path: str, source: str) -> tuple[str, ...]:
    """The node ids, without parameters, of the test functions in ``source``; of a file that can't be parsed its path alone.

    pytest's defaults are followed: functions ``test*``; methods ``test*`` of classes ``Test*`` without ``__init__``, and of subclasses of
    a ``TestCase``. A second definition of a name hides the first, which then never runs: it is listed as ``<id> (hidden)``.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return (path,)
    seen: Counter[str] = Counter()
    names = []
    for name in _names(tree.body, path, in_class=False):
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} (hidden)")
    return tuple(names)


def _names(body: Iterable[ast.stmt], prefix: str, *, in_class: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test") and not _is_fixture(node):
                yield f"{prefix}::{node.name}"
        elif isinstance(node, ast.ClassDef):
            if _is_test_class(node):
                yield from _names(node.body, f"{prefix}::{node.name}", in_class=True)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            blocks = [node.body, getattr(node, "orelse", [])]
            for block in blocks:
                yield from _names(block, prefix, in_class=in_class)


def _is_test_class(node: ast.ClassDef) -> bool:
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    if any(base.endswith("TestCase") for base in bases):
        return True
    has_init = any(isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in node.body)
    return node.name.startswith("Test") and not has_init


def _is_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
