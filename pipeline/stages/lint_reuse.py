"""Which files pylint need not look at again: those of which nothing that pylint looks at has changed.

What pylint says of a module depends on the module, on every module that it reaches through imports, on the names of all
Python files (where an import leads, and what isort takes for the project's own), on the installed packages and on
pylint's configuration. All of that is in the key. A module that assigns to attributes of others' objects ("meddles")
changes what pylint sees of them wherever they are used: such modules are linted in every run, and all that they reach
is in everybody's key. Where the configuration loads plugins or runs code, or a source can't be read, nothing is reused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.core import module_facts, module_graph
from pipeline.core.file_results import key_of
from pipeline.core.module_facts import Facts
from pipeline.core.ports import ToolEnvironment
from pipeline.core.snapshot import Kind
from pipeline.stages.context import Context, packaged_lock
from pipeline.stages.source_files import unaltered
from pipeline.tools import pylint
from pipeline.tools.pylint_witness import WITNESS_SOURCE, fresh_records

_SHELF, _FACTS = "pylint", "python-modules"
# Where pylint and isort look for their configuration (pylint/config/find_default_config_files.py, isort/settings.py).
_CONFIGURATION = frozenset(
    {
        "pylintrc", "pylintrc.toml", ".pylintrc", ".pylintrc.toml", "pyproject.toml", "setup.cfg", "tox.ini",
        ".isort.cfg", ".editorconfig",
    }
)  # fmt: skip
_CODE = ("load-plugins", "load_plugins", "init-hook", "init_hook", "spelling")
_SEEN = frozenset({"", ".py", ".pyi", ".so", ".pth"})


@dataclass(frozen=True, slots=True)
class Reuse:
    """``stale`` are the files to lint now, in their order; ``kept`` what pylint said of the others, as it was kept.

    ``keys`` are those of all files under which what it says now may be kept; none where nothing may.
    """

    stale: tuple[str, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def keep(self, context: Context, document: str) -> None:
        """Keep what pylint said of the files that it looked at (:data:`pipeline.tools.pylint.FRESH_VARIABLE`).

        Nothing when any Python file changed meanwhile, since every other one may have been judged by it.
        """
        read = {*context.snapshot.files(pattern="*.py"), *self.stale}
        if len(unaltered(context.snapshot, context.tree, read)) < len(read):
            return
        fresh = fresh_records(document)
        entries = {self.keys[path]: fresh[path] for path in self.stale if path in fresh and path in self.keys}
        if entries:
            kept = {self.keys[path]: text for path, text in self.kept.items()}
            context.ports.file_results.write(_SHELF, {**entries, **kept})


def reuse(context: Context, tools: ToolEnvironment, libraries: ToolEnvironment, files: tuple[str, ...]) -> Reuse:
    """What of earlier runs holds for these files."""
    facts = _facts(context, files)
    common = _common(context, tools, libraries)
    if facts is None or common is None:
        return Reuse(files)
    graph = module_graph.graph_of(facts)
    seen = module_graph.within_reach(graph, files)
    meddling = sorted(path for path in seen if facts[path].meddles)
    if not seen.isdisjoint(path for path, known in facts.items() if not known.shape) or set(meddling) - set(files):
        return Reuse(files)
    reached = module_graph.reached(facts, graph)
    everywhere = (*common, *(f"{path} {reached[path]}" for path in meddling))
    base = key_of(everywhere)
    known = context.snapshot.by_path
    keys = {path: key_of((base, path, known[path].digest, reached[path])) for path in files}
    shelf = context.ports.file_results.read(_SHELF)
    kept = {path: shelf[keys[path]] for path in files if keys[path] in shelf and path not in set(meddling)}
    if len(kept) == len(files):
        # pylint has to look at something to come to its end at all.
        del kept[min(files, key=lambda path: known[path].size)]
    return Reuse(tuple(path for path in files if path not in kept), kept, keys)


def _facts(context: Context, files: Iterable[str]) -> dict[str, Facts] | None:
    """The facts of all Python files, of one that can't be parsed without a shape; none when one of ``files`` can't."""
    known = context.snapshot.by_path
    wanted = sorted({*context.snapshot.files(pattern="*.py"), *files})
    version = f"{module_facts.VERSION} {sys.version}"
    keys = {path: key_of((version, known[path].digest)) for path in wanted}
    shelf = context.ports.file_results.read(_FACTS)
    found: dict[str, Facts] = {}
    fresh: dict[str, str] = {}
    for path in wanted:
        kept = shelf.get(keys[path])
        facts = module_facts.from_text(kept) if kept else module_facts.facts_of((context.tree / path).read_bytes())
        found[path] = facts or Facts(shape="")
        if not kept and facts is not None:
            fresh[path] = facts.text()
    certain = unaltered(context.snapshot, context.tree, fresh)
    if certain:
        context.ports.file_results.write(_FACTS, {keys[path]: fresh[path] for path in certain})
    return None if any(not found[path].shape for path in files) else found


def _common(context: Context, tools: ToolEnvironment, libraries: ToolEnvironment) -> tuple[str, ...] | None:
    """What holds for every file alike; none where the configuration makes pylint run code that nobody knows."""
    entries = context.snapshot.entries
    places = [entry.path for entry in entries if PurePosixPath(entry.path).name in _CONFIGURATION]
    texts = [(context.tree / path).read_text(encoding="utf-8", errors="replace") for path in places]
    outside = _outside()
    if any(word in text for text in (*texts, *outside) for word in _CODE):
        return None
    names = sorted(entry.path for entry in entries if PurePosixPath(entry.path).suffix in _SEEN)
    folders = sorted({folder.as_posix() for entry in entries for folder in PurePosixPath(entry.path).parents})
    stubs = [entry.digest for entry in entries if entry.path.endswith(".pyi") or entry.kind is Kind.SUBMODULE]
    return (
        WITNESS_SOURCE,
        *pylint.command("pylint", (), Path("libraries"), Path("witness")),
        packaged_lock("lint").read_text(encoding="utf-8"),
        tools.version,
        libraries.version,
        *(f"{name} {version}" for name, version in sorted(libraries.packages.items())),
        *(context.snapshot.by_path[path].path + context.snapshot.by_path[path].digest for path in places),
        *outside,
        "names", *names, "folders", *folders, "stubs", *stubs,
    )  # fmt: skip


def _outside() -> tuple[str, ...]:
    """The configuration that pylint would take from the user or the machine, if the project has none."""
    home = Path.home()
    folder = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    places = (home / ".pylintrc", Path(folder) / "pylintrc", Path("/etc/pylintrc"))
    return tuple(path.read_text(encoding="utf-8", errors="replace") for path in places if path.is_file())
