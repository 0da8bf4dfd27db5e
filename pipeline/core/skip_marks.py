"""Tests that are told not to run, or to fail: pytest's and unittest's skips and xfails, from the syntax tree.

pytest names the tests that it skipped; this finds every place that may make it, also where a condition or another
machine would.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.stage import Suppression
from pipeline.core.suppressions import SuppressionKind, reason_near


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a name means, and where its call gives a reason: the keywords, and the position (none: only a keyword)."""

    kind: SuppressionKind
    keywords: tuple[str, ...] = ("reason",)
    position: int | None = None


_MARKS: Mapping[str, _Mark] = {
    "pytest.mark.skip": _Mark(SuppressionKind.SKIP, position=0),
    "pytest.mark.skipif": _Mark(SuppressionKind.SKIP),
    "pytest.mark.xfail": _Mark(SuppressionKind.XFAIL),
    "pytest.skip": _Mark(SuppressionKind.SKIP, ("reason", "msg"), 0),
    "pytest.skip.Exception": _Mark(SuppressionKind.SKIP, ("msg",), 0),
    "pytest.xfail": _Mark(SuppressionKind.XFAIL, ("reason",), 0),
    "pytest.importorskip": _Mark(SuppressionKind.SKIP),
    "unittest.skip": _Mark(SuppressionKind.SKIP, ("reason",), 0),
    "unittest.skipIf": _Mark(SuppressionKind.SKIP, ("reason",), 1),
    "unittest.skipUnless": _Mark(SuppressionKind.SKIP, ("reason",), 1),
    "unittest.SkipTest": _Mark(SuppressionKind.SKIP, (), 0),
    "unittest.expectedFailure": _Mark(SuppressionKind.XFAIL, ()),
}
_SKIP_TEST = _Mark(SuppressionKind.SKIP, ("reason",), 0)
_MODULES = ("pytest", "unittest")
_QUICK = ("skip", "Skip", "xfail", "expectedFailure")


def skips_of(path: str, source: bytes) -> tuple[Suppression, ...]:
    """The skips and expected failures that a Python file holds, in order; none of a file that can't be parsed.

    A reason is the call's own, or else what a comment on its line or right above it says.
    """
    if not any(word.encode() in source for word in _QUICK):
        return ()
    try:
        with warnings.catch_warnings():
            # The source is only read; what it should be warned of is lint's business.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # No test of it runs, and that is said where its tests are expected.
        return ()
    names = _imported(tree)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node, mark in _marked(tree, names):
        call = calls.get(id(node))
        whole = call or node
        reason = (_given(call, mark) if call else "") or reason_near(source, node.lineno)
        text = " ".join(ast.unparse(whole).split())
        found.append(Suppression(kind=mark.kind, path=path, line=node.lineno, text=text, reason=reason))
    return tuple(sorted(found, key=lambda item: (item.line, item.text)))


def _marked(tree: ast.Module, names: Mapping[str, str]) -> Iterator[tuple[ast.expr, _Mark]]:
    """The expressions that name a mark, each once: ``pytest.skip`` in ``pytest.skip.Exception`` is part of that."""
    parts: set[int] = set()
    for node in ast.walk(tree):
        # ast.walk comes to the whole of a dotted name before its parts.
        if id(node) in parts or not isinstance(node, ast.Attribute | ast.Name):
            continue
        mark = _MARKS.get(_dotted(node, names))
        if mark is None and isinstance(node, ast.Attribute) and node.attr == "skipTest":
            mark = _SKIP_TEST
        if mark is not None:
            parts.update(id(part) for part in ast.walk(node))
            yield node, mark


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the names that stand for pytest, unittest or a part of them mean in this file."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({item.asname or item.name: item.name for item in node.names if item.name in _MODULES})
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            names.update({item.asname or item.name: f"{node.module}.{item.name}" for item in node.names})
    return names


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """The full name that an expression stands for, or nothing."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "") if isinstance(node.ctx, ast.Load) else ""
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def _given(call: ast.Call, mark: _Mark) -> str:
    """The reason that a call gives: its text, or the expression that makes it."""
    candidates = [item.value for item in call.keywords if item.arg in mark.keywords]
    if mark.position is not None and len(call.args) > mark.position:
        candidates.append(call.args[mark.position])
    if not candidates:
        return ""
    value = candidates[0]
    return str(value.value).strip() if isinstance(value, ast.Constant) else ast.unparse(value)
