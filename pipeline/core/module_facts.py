"""What a Python module's source says of itself that matters to other modules: read from the syntax tree, run by nobody.

For a linter that follows imports. The shape of a module is what another one can see of it: its syntax tree with the
order of its lines, but neither comments nor blank lines nor columns.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

VERSION = "1"
"""Changes with what this module reads from a source, since facts are kept from run to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``imports`` are all modules that may be meant, as dotted names, relative ones with their leading dots.

    ``bound`` are those of them that a name of the module may stand for, and ``attributes`` the names that stand behind
    a dot: of a package that a name stands for, such an attribute may be a module which no import names. ``meddles``
    says that the module assigns to attributes of other objects than its own ``self`` or ``cls``, and so changes what
    there is to see of other modules.
    """

    shape: str
    imports: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    meddles: bool = False

    def text(self) -> str:
        """As JSON, to be kept."""
        return json.dumps(asdict(self))


def from_text(text: str) -> Facts:
    """The facts that :meth:`Facts.text` made a text of."""
    record = json.loads(text)
    names = {name: tuple(record[name]) for name in ("imports", "bound", "attributes")}
    return Facts(shape=record["shape"], meddles=record["meddles"], **names)


def facts_of(source: bytes) -> Facts | None:
    """The facts; none of a source that this Python can't parse, of which nothing is known."""
    try:
        tree = ast.parse(source, type_comments=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes = list(ast.walk(tree))
    imports, bound = set[str](), set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports.add(alias.name)
                bound.update([alias.name] if alias.asname else _prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            members = {_member(base, alias.name) for alias in node.names if alias.name != "*"}
            imports.update((base, *members))
            bound.update(members)
            # Behind a star anything may stand that the package has, modules included.
            bound.update({base} if any(alias.name == "*" for alias in node.names) else ())
    stored = [node for node in nodes if isinstance(node, ast.Attribute)]
    return Facts(
        shape=_shape(tree, nodes),
        imports=tuple(sorted(imports)),
        bound=tuple(sorted(bound)),
        attributes=tuple(sorted({node.attr for node in stored})),
        meddles=any(isinstance(node.ctx, ast.Store) and not _own(node.value) for node in stored) or _renamed(nodes),
    )


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: number + 1]) for number in range(len(parts)))


def _member(base: str, name: str) -> str:
    return f"{base}{name}" if base.endswith(".") else f"{base}.{name}"


def _own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def _renamed(nodes: Iterable[ast.AST]) -> bool:
    """Whether ``self`` or ``cls`` is made to stand for something else."""
    return any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and _own(node) for node in nodes)


def _shape(tree: ast.Module, nodes: Iterable[ast.AST]) -> str:
    """A digest of the tree and of its lines by rank: a line more between two statements changes nothing, but it does
    matter whether two of them share one, because names are looked up by line.
    """
    lines = [(getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)) for node in nodes]
    rank = {line: number for number, line in enumerate(sorted({line for pair in lines for line in pair}))}
    ranks = [(rank[first], rank[last]) for first, last in lines]
    return hashlib.sha256(f"{ast.dump(tree)}{ranks}".encode("utf-8", "surrogatepass")).hexdigest()
