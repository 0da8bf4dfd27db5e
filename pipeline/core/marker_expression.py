"""pytest's marker expressions (``-m``), evaluated here: whether a test was left out by the one that the stage gave.

A conftest.py, ``-k`` and ``--deselect`` leave tests out too, and pytest reports all of it in one way.
"""

from __future__ import annotations

import ast
from collections.abc import Collection


def selects(expression: str, marks: Collection[str]) -> bool:
    """Whether ``expression`` selects a test that bears ``marks`` (pytest's documentation, "Marking test functions").

    An empty expression selects every test. One that can't be read here is taken to select: what it left out then
    counts as missing, and not as left out with leave.
    """
    if not expression.strip():
        return True
    try:
        return _holds(ast.parse(expression.strip(), mode="eval").body, marks)
    except (SyntaxError, ValueError):
        return True


def _holds(node: ast.expr, marks: Collection[str]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_holds(part, marks) for part in node.values)
        case ast.BoolOp():
            return any(_holds(part, marks) for part in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _holds(node.operand, marks)
        case ast.Name():
            return node.id in marks
        case ast.Constant(value=bool()):
            return bool(node.value)
        case _:
            raise ValueError("not a marker expression that can be told from marks alone")
