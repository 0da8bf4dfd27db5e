"""Which modules of a project may have a say in what a linter finds in each: a digest over all that it reaches.

Where it can't be known which file an import means, every file that it could mean counts; too much costs time, too
little would be a wrong result.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from pipeline.core.configuration_texts import ancestors, joined
from pipeline.core.module_facts import Facts

Graph = Mapping[str, frozenset[str]]
_Names = Mapping[tuple[str, ...], frozenset[str]]
_PACKAGE = "__init__"


def reached(facts: Mapping[str, Facts], graph: Graph) -> dict[str, str]:
    """For each file a digest over the shapes of all files that it reaches through imports, itself included.

    A change of any of them changes it.
    """
    return _deep(graph, {path: known.shape for path, known in facts.items()})


def within_reach(graph: Graph, roots: Iterable[str]) -> frozenset[str]:
    """The ``roots`` and all files that they reach."""
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(graph[path])
    return frozenset(found)


def graph_of(facts: Mapping[str, Facts]) -> Graph:
    """For each file those that its imports may load; ``facts`` are by path, of all Python files of the project."""
    names = _names(facts)
    children = _children(facts)
    # Of the packages that any name of the project stands for, an attribute may be a module.
    packages = {
        package
        for path, known in facts.items()
        for name in known.bound
        for package in _meant(name, path, names)
        if package in children
    }
    modules: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        for name, paths in children[package].items():
            modules[name] |= paths
    return {
        path: frozenset(
            target
            for found in (
                *(_meant(name, path, names) for name in known.imports),
                *(modules[name] for name in known.attributes if name in modules),
                _own_packages(path, facts),
            )
            for target in found
        )
        - {path}
        for path, known in facts.items()
    }


def _module(path: str) -> tuple[str, ...]:
    """The parts of the longest name that the file could have as a module: that of a package is its folder's."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[:-1] if parts[-1] == _PACKAGE else parts


def _names(paths: Iterable[str]) -> _Names:
    """The files by every name that they could be imported under, since any folder may be where imports begin."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in paths:
        parts = _module(path)
        for first in range(len(parts)):
            found[parts[first:]].add(path)
    return {name: frozenset(those) for name, those in found.items()}


def _children(paths: Iterable[str]) -> dict[str, dict[str, set[str]]]:
    """For each package's file the modules and packages in its folder, by their names."""
    every = list(paths)
    packages = {str(PurePosixPath(path).parent): path for path in every if PurePosixPath(path).stem == _PACKAGE}
    found: dict[str, dict[str, set[str]]] = {path: defaultdict(set) for path in packages.values()}
    for path in every:
        pure = PurePosixPath(path)
        folder = pure.parent.parent if pure.stem == _PACKAGE else pure.parent
        above = packages.get(str(folder))
        if above is not None and above != path:
            found[above][_module(path)[-1]].add(path)
    return found


def _meant(name: str, importer: str, names: _Names) -> set[str]:
    """The files that the import of ``name`` may load: what the name could mean, and each package on the way."""
    dots = len(name) - len(name.lstrip("."))
    parts = tuple(part for part in name.lstrip(".").split(".") if part)
    base: tuple[str, ...] = ()
    if dots:
        folder = tuple(importer.split("/")[:-1])
        base = folder[: len(folder) - (dots - 1)] if dots <= len(folder) + 1 else ()
    whole = (*base, *parts)
    return {path for number in range(len(whole)) for path in names.get(whole[: number + 1], ())}


def _own_packages(path: str, paths: Mapping[str, Facts]) -> set[str]:
    return {name for folder in ancestors(path) if (name := joined(folder, f"{_PACKAGE}.py")) in paths}


def _deep(graph: Graph, own: Mapping[str, str]) -> dict[str, str]:
    """Digests over everything that is reached; what reaches each other in a circle is one (Tarjan, 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: dict[str, str] = {}
    for root in sorted(graph):
        # With a stack of its own: a chain of imports may be longer than Python's calls can be deep.
        work = [(root, iter(sorted(graph[root])))] if root not in numbers else []
        if work:
            numbers[root] = lowest[root] = len(numbers)
            open_.append(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in numbers:
                    numbers[target] = lowest[target] = len(numbers)
                    open_.append(target)
                    work.append((target, iter(sorted(graph[target]))))
                    break
                if target not in found:
                    lowest[node] = min(lowest[node], numbers[target])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[node])
                if lowest[node] == numbers[node]:
                    circle = open_[open_.index(node) :]
                    del open_[-len(circle) :]
                    found |= dict.fromkeys(circle, _together(circle, graph, own, found))
    return found


def _together(circle: list[str], graph: Graph, own: Mapping[str, str], found: Mapping[str, str]) -> str:
    beyond = {found[target] for path in circle for target in graph[path] if target in found}
    lines = [f"{path}\0{own[path]}" for path in sorted(circle)]
    return hashlib.sha256("\n".join([*lines, "", *sorted(beyond)]).encode("utf-8", "surrogateescape")).hexdigest()
