"""The files that govern what is demanded, and how two texts of one of them differ: waivers, the finding baseline, the
noxfile's sessions, the workflows' commands, and the configuration of the tools that honour the project's own.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.core.policy_difference import Difference, Effect, told
from pipeline.core.tool_configuration import FILES as TOOL_FILES
from pipeline.core.tool_configuration import differences as tool_differences
from pipeline.core.tool_configuration import tables
from pipeline.core.workflow_commands import differences as workflow_differences

WAIVERS, BASELINE, NOXFILE, SETTINGS = "waivers.toml", "finding-baseline.json", "noxfile.py", "pyproject.toml"
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml")

Differ = Callable[[str, str, str], Iterator[Difference]]


def governs(path: str) -> bool:
    """Whether the file decides what is demanded. Tools read their own configuration in any folder."""
    return path in (WAIVERS, BASELINE, NOXFILE) or _is_tool_file(path) or _WORKFLOW.fullmatch(path) is not None


def governing(path: str, text: str) -> str:
    """The part of the text that governs: of ``pyproject.toml`` the tools' tables, of any other file all of it."""
    return tables(text) if PurePosixPath(path).name == SETTINGS else text


def file_differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """How the governing files differ; one that can't be read where it has changed counts as loosening."""
    found: list[Difference] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, ""), after.get(path, "")
        if old == new:
            continue
        try:
            here = list(_differ(path)(path, old, new))
        except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError):
            here = [told(path, Effect.LOOSENS, f"{path} has changed and can't be read, so what it asks is not known.")]
        found.extend(here or [told(path, Effect.NEUTRAL, f"{path} has changed, and nothing that it demands.")])
    return tuple(found)


def _differ(path: str) -> Differ:
    own: dict[str, Differ] = {WAIVERS: _waivers, BASELINE: _baseline, NOXFILE: _noxfile}
    if path in own:
        return own[path]
    return tool_differences if _is_tool_file(path) else workflow_differences


def _is_tool_file(path: str) -> bool:
    return PurePosixPath(path).name in TOOL_FILES


def _waivers(path: str, old: str, new: str) -> Iterator[Difference]:
    before, after = _waiver_entries(old), _waiver_entries(new)
    for key, entry in after.items():
        title = _title(key)
        if key not in before:
            yield told(path, Effect.LOOSENS, f"{path} waives {title}.", title)
        elif (earlier := before[key]) != entry:
            longer = str(entry.get("expires")) > str(earlier.get("expires"))
            kept = bool(earlier.get("until_fixed")) and not entry.get("until_fixed")
            if longer or kept:
                yield told(path, Effect.LOOSENS, f"{path} waives {title} for longer than before.", title)
            else:
                yield told(path, Effect.NEUTRAL, f"{path} says other things of the waiver of {title}.", title)
    for key in sorted(before.keys() - after.keys()):
        yield told(path, Effect.TIGHTENS, f"{path} no longer waives {_title(key)}.", _title(key))


def _title(key: tuple[str, str, str]) -> str:
    return f"{key[0]} of {key[1]} in {key[2]}"


def _waiver_entries(text: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(text).get("waiver", [])
    return {(str(entry["id"]), str(entry["tool"]), str(entry["scope"])): entry for entry in entries}


def _baseline(path: str, old: str, new: str) -> Iterator[Difference]:
    """Counted by tool, rule and line; where they stand may be noted anew without a finding more or less."""
    before, after = _baseline_counts(old), _baseline_counts(new)
    for (stage, tool, rule), amount in _sums(after - before):
        yield told(path, Effect.LOOSENS, f"{path} accepts {amount} more of {tool} {rule} in {stage}.", f"{tool} {rule}")
    for (stage, tool, rule), amount in _sums(before - after):
        yield told(
            path, Effect.TIGHTENS, f"{path} accepts {amount} fewer of {tool} {rule} in {stage}.", f"{tool} {rule}"
        )


def _baseline_counts(text: str) -> Counter[tuple[str, str, str, str]]:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for entry in json.loads(text)["findings"] if text else []:
        counts[(entry["stage"], entry["tool"], entry["rule"], entry["line_hash"])] += int(entry["count"])
    return counts


def _sums(counts: Counter[tuple[str, str, str, str]]) -> list[tuple[tuple[str, str, str], int]]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for (stage, tool, rule, _), amount in counts.items():
        sums[(stage, tool, rule)] += amount
    return sorted(sums.items())


def _noxfile(path: str, old: str, new: str) -> Iterator[Difference]:
    before, after = _sessions(old), _sessions(new)
    for name in sorted(before - after):
        yield told(path, Effect.LOOSENS, f"{path} no longer has {name}.", name)
    for name in sorted(after - before):
        yield told(path, Effect.TIGHTENS, f"{path} also has {name}.", name)


def _sessions(text: str) -> set[str]:
    """The noxfile's own sessions, the pipeline's registration, and the stages that are handed to it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            decorators = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
            if any(ast.unparse(item).rpartition(".")[2] == "session" for item in decorators):
                found.add(f"the session {node.name}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "register":
            found.add("the pipeline's sessions (nox_sessions.register)")
            found.update(f"the stage {ast.unparse(item)}" for item in _handed_over(node))
    return found


def _handed_over(call: ast.Call) -> Iterator[ast.expr]:
    for argument in (*call.args, *(item.value for item in call.keywords)):
        if isinstance(argument, ast.List | ast.Tuple | ast.Set):
            yield from argument.elts
        else:
            yield argument
