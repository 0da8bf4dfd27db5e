"""What a project's own settings of ruff and pylint take out of ``lint``, read from the texts of their files.

The lint stage adds its rules to ruff's on the command line, where ``select`` and ``ignore`` of a file can't undo them
(seen with ruff 0.17.6); ``per-file-ignores`` can, without a word in ruff's output.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipeline.core.configuration_texts import Table, ancestors, ini_table, joined, toml_table
from pipeline.core.emptied_gates import EXCLUDED, UNBOUND, UNRULED, in_table
from pipeline.core.evidence import listed
from pipeline.core.finding import Finding
from pipeline.core.stage import NotChecked

FAMILIES = ("E", "F", "W", "C90")
"""ruff's rules that the lint stage adds."""
MOST_DISABLED = 30
"""pylint messages that may be switched off in its configuration."""
_RUFF_FILES = (".ruff.toml", "ruff.toml", "pyproject.toml")
_DEEPEST = 10
_PYLINT_FILES = ("pylintrc", "pylintrc.toml", ".pylintrc", ".pylintrc.toml", "pyproject.toml", "setup.cfg", "tox.ini")
# pylint's own formulas, without white space: the present one and the one before 2.5.
_SCORE = "10.0-((float(5*error+warning+refactor+convention)/statement)*10)"
_SCORES = (f"max(0,0iffatalelse{_SCORE})", _SCORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """What was found: ``excused`` maps files that a tool looks at in vain to the configuration that makes it so."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    excused: Mapping[str, str]

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the tool's silence about the excused files proves nothing, each a full sentence."""
        places = sorted(set(self.excused.values()))
        excused = {place: [file for file, by in self.excused.items() if by == place] for place in places}
        return tuple(f"{place} excuses {listed(files)} from all rules." for place, files in excused.items())


def ruff(texts: Mapping[str, str], files: Sequence[str]) -> Emptied:
    """Judge the configuration that ruff takes for each of the ``files``; ``texts`` are the snapshot's, by path."""
    governed: defaultdict[str, list[str]] = defaultdict(list)
    places = {
        place for place in texts
        if place.rpartition("/")[2] in _RUFF_FILES and _ruff_table(texts, place) is not None
    }  # fmt: skip
    for file in files:
        governed[_governing(places, file)].append(file)
    findings: list[Finding] = []
    not_checked: list[NotChecked] = []
    ignored: dict[str, tuple[frozenset[str], Table]] = {}
    excluded: dict[str, Table] = {}
    for path, members in governed.items():
        for table in _with_extended(texts, path):
            findings += _no_rules(table)
            not_checked += _left_out(table)
            for file in members:
                if rules := _ignored_in(table, file):
                    ignored[file] = (ignored.get(file, (frozenset(), table))[0] | rules, table)
                if table.switch("force-exclude") and _excludes(table, file):
                    excluded[file] = table
    if excluded and len(excluded) == len(files):
        findings.append(_all_excluded(next(iter(excluded.values())), "ruff", "extend-exclude", "exclude"))
    excused = {file: table.path for file, (rules, table) in ignored.items() if _takes_all(rules)}
    findings += _family_ignored(ignored, files)
    return Emptied(findings=tuple(findings), not_checked=tuple(not_checked), excused=excused)


def pylint(texts: Mapping[str, str], files: Sequence[str]) -> Emptied:
    """Judge the configuration that pylint takes, which is that of the root."""
    table = _pylint_table(texts)
    if table is None:
        return Emptied(excused={})
    findings = [*_disabled(table), *_score(table), *_own_modules(table, files)]
    if files and all(_ignored_by_pylint(table, file) for file in files):
        findings.append(_all_excluded(table, "pylint", "ignore", "ignore-paths", "ignore-patterns"))
    names = table.words("disable")
    left_out = (_rules_off("pylint messages", names, table),) if names else ()
    return Emptied(findings=tuple(findings), not_checked=left_out, excused={})


# --- ruff -----------------------------------------------------------------------------------------------------------


def _governing(places: Collection[str], file: str) -> str:
    """The configuration nearest to a file (ruff's documentation, "Config file discovery"), or nothing."""
    possible = (joined(folder, name) for folder in ancestors(file) for name in _RUFF_FILES)
    return next((place for place in possible if place in places), "")


def _ruff_table(texts: Mapping[str, str], path: str) -> Table | None:
    names = ("tool", "ruff") if path.endswith("pyproject.toml") else ()
    return toml_table(texts, path, *names, within=("lint",))


def _with_extended(texts: Mapping[str, str], path: str) -> Iterator[Table]:
    """The configuration at ``path``, and those that it extends."""
    for _ in range(_DEEPEST):
        table = _ruff_table(texts, path)
        if table is None:
            return
        yield table
        path = posixpath.normpath(posixpath.join(table.folder, str(table.values.get("extend", "."))))


def _no_rules(table: Table) -> Iterator[Finding]:
    fix = "Name the rules that should not apply; the pipeline's own remain either way."
    for key in ("ignore", "extend-ignore"):
        if "ALL" in table.words(key):
            message = f"ruff is told to ignore all rules ({key} holds ALL)."
            yield in_table(UNRULED, table, key, message, fix)
    if table.values.get("select") == [] and not table.words("extend-select"):
        message = "ruff is told to select no rule (select is empty)."
        yield in_table(UNRULED, table, "select", message, fix)


def _left_out(table: Table) -> Iterator[NotChecked]:
    names = (*table.words("ignore"), *table.words("extend-ignore"))
    if names:
        yield _rules_off("ruff rules", names, table)
    for pattern, rules in _per_file(table):
        yield _rules_off("ruff rules", rules, table, f" in {pattern}")


def _per_file(table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key in ("per-file-ignores", "extend-per-file-ignores"):
        patterns = table.values.get(key)
        if isinstance(patterns, dict):
            for pattern, rules in patterns.items():
                yield pattern, tuple(map(str, rules)) if isinstance(rules, list) else (str(rules),)


def _ignored_in(table: Table, file: str) -> frozenset[str]:
    """The rules that are ignored in a file."""
    found: set[str] = set()
    for pattern, rules in _per_file(table):
        wanted = not pattern.startswith("!")
        if _matches(pattern.removeprefix("!"), _below(table, file)) is wanted:
            found.update(rules)
    return frozenset(found)


def _takes_all(rules: frozenset[str]) -> bool:
    return all(_takes(rules, family) for family in FAMILIES)


def _takes(rules: frozenset[str], family: str) -> bool:
    return any(rule == "ALL" or (rule and family.startswith(rule)) for rule in rules)


def _family_ignored(ignored: Mapping[str, tuple[frozenset[str], Table]], files: Sequence[str]) -> Iterator[Finding]:
    """Families that are ignored in every single file."""
    if not files or len(ignored) < len(files):
        return
    families = [family for family in ("E", "F") if all(_takes(rules, family) for rules, _ in ignored.values())]
    if families:
        (_, table), *_ = ignored.values()
        key = next((k for k in ("per-file-ignores", "extend-per-file-ignores") if k in table.values), "")
        message = f"ruff is told to ignore the rules {' and '.join(families)} in every file ({key})."
        fix = "Take the pattern out, or name single rules."
        yield in_table(UNRULED, table, key, message, fix)


def _excludes(table: Table, file: str) -> bool:
    """ruff's patterns of excludes match a file, a folder that it lies in, or the name of either."""
    below = _below(table, file)
    places = [below, *(folder for folder in ancestors(below) if folder)]
    patterns = (*table.words("exclude"), *table.words("extend-exclude"))
    return any(_matches(pattern.rstrip("/"), place) for pattern in patterns for place in places)


def _below(table: Table, file: str) -> str:
    return posixpath.relpath(file, table.folder or ".")


def _matches(pattern: str, place: str) -> bool:
    """As globset does: ``*`` also takes slashes, braces give alternatives; the whole path or its last part."""
    name = place.rpartition("/")[2]
    plain = (alternative.removeprefix("./") for alternative in _alternatives(pattern))
    return any(fnmatchcase(name, one) or fnmatchcase(place, one) or fnmatchcase(f"/{place}", one) for one in plain)


def _alternatives(pattern: str) -> Iterator[str]:
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        yield pattern
        return
    for part in match[1].split(","):
        yield from _alternatives(pattern[: match.start()] + part + pattern[match.end() :])


# --- pylint ---------------------------------------------------------------------------------------------------------


def _pylint_table(texts: Mapping[str, str]) -> Table | None:
    """The first of the files that pylint itself would take (pylint/config/find_default_config_files.py)."""
    for path in _PYLINT_FILES:
        if path.endswith(".toml"):
            found = toml_table(texts, path, "tool", "pylint")
            inner = [name for name, value in found.values.items() if isinstance(value, dict)] if found else []
            table = toml_table(texts, path, "tool", "pylint", within=inner) if found else None
        else:
            own = path.endswith("pylintrc")
            table = ini_table(texts, path, re.compile(r".*" if own else r"pylint(?:\..*)?"))
        if table is not None:
            return table
    return None


def _disabled(table: Table) -> Iterator[Finding]:
    names = table.words("disable")
    fix = "Switch off single messages, and the ones that concern one place only in the source, with a reason."
    if "all" in names and not {"E", "all"} & set(table.words("enable")):
        yield in_table(UNRULED, table, "disable", "pylint is told to disable all messages, errors among them.", fix)
    elif {"E", "F"} & set(names):
        yield in_table(UNRULED, table, "disable", "pylint is told to disable a whole category of errors.", fix)
    elif len(names) > MOST_DISABLED:
        message = f"pylint is told to disable {len(names)} messages; more than {MOST_DISABLED} leave little of it."
        yield in_table(UNRULED, table, "disable", message, fix)


def _score(table: Table) -> Iterator[Finding]:
    formula = re.sub(r"\s", "", str(table.values.get("evaluation", "")))
    if formula and formula not in _SCORES:
        message = "pylint's score is computed by a formula of the project's own (evaluation), so a floor means nothing."
        fix = "Remove evaluation; set lint.score_floor to what the code reaches."
        yield in_table(UNBOUND, table, "evaluation", message, fix)
    floor = table.number("fail-under")
    if floor is not None and floor <= 0:
        message = f"pylint's own floor (fail-under) is {floor:g}, which nothing can miss."
        fix = "Remove fail-under; the floor of the pipeline is lint.score_floor."
        yield in_table(UNBOUND, table, "fail-under", message, fix)


def _own_modules(table: Table, files: Sequence[str]) -> Iterator[Finding]:
    """Names that are imported from these modules, and their members, are not checked."""
    modules = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files}
    for pattern in table.words("ignored-modules"):
        if any(fnmatchcase(module, pattern) or fnmatchcase(module, f"*.{pattern}") for module in modules):
            message = (
                f"pylint is told to know nothing of a module that is the project's own (ignored-modules: {pattern})."
            )
            fix = "Take it out of ignored-modules, which is for packages that the environment lacks."
            yield in_table(UNRULED, table, "ignored-modules", message, fix)


def _ignored_by_pylint(table: Table, file: str) -> bool:
    name = file.rpartition("/")[2]
    return (
        name in table.words("ignore")
        or any(_begins(pattern, name) for pattern in table.words("ignore-patterns"))
        or any(_begins(pattern, file) for pattern in table.words("ignore-paths"))
    )


def _begins(pattern: str, text: str) -> bool:
    try:
        return re.match(pattern, text) is not None
    except re.error:
        # pylint refuses it, and then there is nothing that it ignores.
        return False


def _all_excluded(table: Table, tool: str, *keys: str) -> Finding:
    key = next((key for key in keys if key in table.values), keys[0])
    message = f"{tool} is told to pass over every file that lint should check ({key})."
    fix = f"Take it out of {key}; what need not be checked stands in lint.exclude, with a reason."
    return in_table(EXCLUDED, table, key, message, fix)


def _rules_off(what: str, names: Sequence[str], table: Table, where: str = "") -> NotChecked:
    return NotChecked(what=f"{what} {listed(names, 20)}{where}", reason=f"They are switched off in {table.path}.")
