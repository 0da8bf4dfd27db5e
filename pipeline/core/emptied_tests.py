"""What a project's own settings of pytest and coverage take out of ``test``, read from the texts of their files."""

from __future__ import annotations

import ast
import posixpath
import re
import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pipeline.core.configuration_texts import Table, ancestors, ini_table, joined, toml_table
from pipeline.core.emptied_gates import DESELECTED, EXCLUDED, UNBOUND, UNRULED, emptied, in_table
from pipeline.core.finding import Finding

# In the order in which the tools look for them (coverage/config.py; _pytest/config/findpaths.py).
_COVERAGE_FILES = (".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
_PYTEST_FILES = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip
# Lines of no particular meaning, as in any program: a pattern that takes one of them takes code and not a special case.
_ORDINARY = (
    "import json", "from decimal import Decimal", "class Order:", "def handle(request):",
    "def total(self) -> int:", "async def handle(request):", "value = compute(1)", "return value", "if value > 1:",
    "else:", "for item in items:", "with open(name) as file:", "try:", "items.append(item)",
)  # fmt: skip
_PROGRAM = "\n".join(f"    {line}" for line in _ORDINARY)
_DEFINITION = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+)?def[ \t]+(?P<name>(?!__)\w+)|class[ \t]+(?P<kind>\w+)(?!.*\b(?:Protocol|ABC)\b)).*$",
    re.M,
)
_WITH_VALUE = ("-k", "-m", "--deselect", "--ignore", "--ignore-glob")
_COLLECT_ONLY = ("--collect-only", "--co")


def pytest(
    texts: Mapping[str, str], conftests: Mapping[str, bytes], tests: Sequence[str], markers: str
) -> tuple[Finding, ...]:
    """Judge pytest's configuration. ``tests`` are the files that hold tests; ``conftests`` the sources of the
    conftest.py files, by path; ``markers`` the stage's own expression, which overrides one of the configuration.
    """
    findings: list[Finding] = []
    table = _pytest_table(texts, tests)
    if table is not None:
        findings += _options(table, tests, markers)
    findings += _ignored_by_conftests(conftests, tests)
    return tuple(findings)


def coverage(texts: Mapping[str, str], measured: Sequence[str], sources: Iterable[bytes] = ()) -> tuple[Finding, ...]:
    """Judge coverage's configuration; ``measured`` are the files whose coverage counts, ``sources`` what they hold."""
    tables = [table for table in _coverage_tables(texts) if table is not None]
    findings: list[Finding] = []
    for table in tables:
        findings += _wide_patterns(table, tuple(sources))
        findings += _measured_not(table, measured)
        floor = table.number("fail-under")
        if floor is not None and floor <= 0:
            message = f"coverage's own floor (fail_under) is {floor:g}, which nothing can miss."
            fix = "Remove fail_under; the floor of the pipeline is test.coverage_floor."
            findings.append(in_table(UNBOUND, table, "fail-under", message, fix))
    return tuple(findings)


# --- pytest ---------------------------------------------------------------------------------------------------------


def _pytest_table(texts: Mapping[str, str], tests: Sequence[str]) -> Table | None:
    """The first configuration from the folder that all tests share upwards to the root."""
    shared = posixpath.commonpath([posixpath.dirname(path) for path in tests]) if tests else ""
    for folder in (shared, *ancestors(shared)) if shared else ("",):
        for name in _PYTEST_FILES:
            table = _pytest_in(texts, joined(folder, name))
            if table is not None:
                return table
    return None


def _pytest_in(texts: Mapping[str, str], path: str) -> Table | None:
    if path.endswith("pyproject.toml"):
        return toml_table(texts, path, "tool", "pytest", within=("ini_options",))
    if path.endswith(".toml"):
        return toml_table(texts, path, "pytest") or toml_table(texts, path, "tool", "pytest", within=("ini_options",))
    if path.endswith("pytest.ini"):
        # These are pytest's configuration even without a section.
        empty = Table(path=path, text=texts.get(path, "")) if path in texts else None
        return ini_table(texts, path, re.compile("pytest")) or empty
    return ini_table(texts, path, re.compile("tool:pytest" if path.endswith(".cfg") else "pytest"))


def _options(table: Table, tests: Sequence[str], markers: str) -> Iterator[Finding]:
    ignored: list[str] = []
    for option, value in _parsed(table):
        if option in ("--ignore", "--ignore-glob"):
            ignored.append(value)
            continue
        if option == "-m" and markers:
            # The stage's own expression comes later on the command line, and the last one counts.
            continue
        message = (
            f"pytest is told by its configuration to leave tests out (addopts holds {f'{option} {value}'.strip()})."
        )
        fix = "Take it out of addopts; which tests run in process is said by test.markers."
        yield in_table(DESELECTED, table, "addopts", message, fix)
    if tests and ignored and all(any(_ignores(pattern, table.folder, test) for pattern in ignored) for test in tests):
        yield _ignores_all(table.path, table.line("addopts"), "addopts")


def _parsed(table: Table) -> Iterator[tuple[str, str]]:
    """The options of addopts that select tests, each with its value."""
    value = table.values.get("addopts", "")
    try:
        words = [str(item) for item in value] if isinstance(value, list) else shlex.split(str(value))
    except ValueError:
        # An open quotation mark: pytest refuses it.
        return
    rest = iter(words)
    for word in rest:
        name, equals, given = word.partition("=")
        if word in _COLLECT_ONLY:
            yield word, ""
        elif name in _WITH_VALUE:
            yield name, given if equals else next(rest, "")
        elif word[:2] in ("-k", "-m") and not word.startswith("--"):
            yield word[:2], word[2:]


def _ignores(pattern: str, folder: str, test: str) -> bool:
    place = posixpath.normpath(posixpath.join(folder, pattern))
    return place == "." or any(fnmatchcase(part, place) for part in (test, *ancestors(test)) if part)


def _ignored_by_conftests(conftests: Mapping[str, bytes], tests: Sequence[str]) -> Iterator[Finding]:
    """Lists of what not to collect that leave no test file."""
    places = {path: _ignore_list(source) for path, source in conftests.items()}
    covered = {
        test: path
        for path, (patterns, _) in places.items()
        for test in tests
        if any(_ignores(pattern, posixpath.dirname(path), test) for pattern in patterns)
    }
    if tests and len(covered) == len(tests):
        path, *_ = covered.values()
        yield _ignores_all(path, places[path][1], "collect_ignore")


def _ignore_list(source: bytes) -> tuple[tuple[str, ...], int]:
    """The texts in ``collect_ignore`` and ``collect_ignore_glob``, and the line where the first stands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # No test runs beside it, which is said where the tests are expected.
        return (), 0
    lists = [node for node in tree.body if isinstance(node, ast.Assign | ast.AugAssign) and _names_list(node)]
    texts = (part.value for node in lists for part in ast.walk(node.value) if isinstance(part, ast.Constant))
    return tuple(text for text in texts if isinstance(text, str)), lists[0].lineno if lists else 0


def _names_list(node: ast.Assign | ast.AugAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(t, ast.Name) and t.id in ("collect_ignore", "collect_ignore_glob") for t in targets)


def _ignores_all(path: str, line: int, key: str) -> Finding:
    message = f"pytest is told to pass over every file that holds tests ({key})."
    fix = "Take it out; where the tests are is said by test.paths."
    return emptied(EXCLUDED, message, fix, path=path, line=line, snippet=key)


# --- coverage -------------------------------------------------------------------------------------------------------


def _coverage_tables(texts: Mapping[str, str]) -> tuple[Table | None, ...]:
    """The ``run`` and ``report`` tables of the first file that has any."""
    for path in _COVERAGE_FILES:
        tables: tuple[Table | None, ...]
        if path == "pyproject.toml":
            tables = tuple(toml_table(texts, path, "tool", "coverage", name) for name in ("run", "report"))
        elif path.endswith(".toml"):
            tables = tuple(toml_table(texts, path, name) for name in ("run", "report"))
        else:
            own = path == ".coveragerc"
            tables = tuple(
                ini_table(texts, path, re.compile(rf"(?:coverage:){'?' if own else ''}{name}"))
                for name in ("run", "report")
            )
        if any(table is not None for table in tables):
            return tables
    return ()


def _wide_patterns(table: Table, sources: Sequence[bytes]) -> Iterator[Finding]:
    for key in ("exclude-lines", "exclude-also"):
        shown = key.replace("-", "_")
        for pattern in table.words(key, split=r"\n"):
            if _takes_ordinary(pattern):
                message = f"coverage is told to leave out ordinary lines of code ({shown} holds {pattern!r})."
                fix = "Make the pattern one of a special case, or remove it."
                yield in_table(UNRULED, table, key, message, fix)
            elif name := _takes_definition(pattern, sources):
                message = f"coverage is told to leave out {name} as a whole ({shown} holds {pattern!r})."
                fix = "Test it, or mark it with a coverage pragma and a reason."
                yield in_table(UNRULED, table, key, message, fix)


def _takes_definition(pattern: str, sources: Sequence[bytes]) -> str:
    """The function or class whose first line a pattern takes, which takes its body too; empty without one.

    Of special methods, and of classes that only describe, coverage's own documentation makes examples. A comment on the
    line is none of it: a pragma there is a suppression, and gated as one. A body of ``...`` on the line is no body.
    """
    for source in sources:
        for match in _DEFINITION.finditer(source.decode("utf-8", "replace")):
            line = match[0].partition("#")[0].rstrip()
            try:
                if not line.endswith("...") and re.search(pattern, line):
                    return str(match["name"] or match["kind"])
            except re.error:
                return ""
    return ""


def _takes_ordinary(pattern: str) -> bool:
    """Whether a pattern takes any of the ordinary lines; coverage searches it in the whole text of a file."""
    try:
        return re.search(pattern, _PROGRAM, re.M) is not None
    except re.error:
        # coverage refuses it.
        return False


def _measured_not(table: Table, measured: Sequence[str]) -> Iterator[Finding]:
    omitted, included = table.words("omit"), table.words("include")
    for key, gone in (
        ("omit", bool(omitted) and all(_takes_file(omitted, file) for file in measured)),
        ("include", bool(included) and not any(_takes_file(included, file) for file in measured)),
    ):
        if measured and gone:
            message = f"coverage is told to measure none of the files whose coverage counts ({key})."
            fix = "Take it out; what coverage need not count stands in test.exclude, with a reason."
            yield in_table(EXCLUDED, table, key, message, fix)


def _takes_file(patterns: Sequence[str], file: str) -> bool:
    """coverage's file patterns: relative ones are relative to the root, and a star takes slashes too."""
    places = (file, f"./{file}", f"/{file}", f"/root/{file}")
    return any(
        fnmatchcase(place, pattern) or (pattern.endswith("/") and fnmatchcase(place, f"{pattern}*"))
        for pattern in patterns
        for place in places
    )
