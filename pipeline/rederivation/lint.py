"""``lint`` again, from ``ruff.json``, ``ruff.log``, ``pylint.json`` and the list of the files that pylint walked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pipeline.core.verification_raw import Rederived
from pipeline.rederivation.kept import CONTROLS, NOWHERE, Kept, ended
from pipeline.stages import lint
from pipeline.tools import pylint, ruff

_FIELDS = ("rule", "tool", "severity", "confidence", "message", "path", "line", "counted")
_CHECKING = re.compile(r"(?P<before>\]\[DEBUG\] Checking: )(?P<path>.+)$", re.M)


def rederived(kept: Kept) -> Rederived:
    """What both tools' outputs amount to."""
    root = _root([match["path"] for match in _CHECKING.finditer(kept.text("ruff.log"))], kept.expected)
    examined = lint.assess(
        kept.settings.lint,
        kept.expected,
        _ruff(kept, root),
        _pylint(kept, root),
        controls=kept.controls,
        previous=kept.earlier({"score": "score_previous"}),
    )
    return Rederived(
        examination=examined,
        tools=("ruff", "pylint"),
        fields=_FIELDS,
        metrics=("score", "files"),
        taken=(
            kept.whole_checkout,
            CONTROLS,
            "Source lines, columns and the score before rest on the report's own word too.",
        ),
    )


def _ruff(kept: Kept, root: str) -> ruff.Output:
    records: list[dict[str, Any]] = kept.json("ruff.json")
    for record in records:
        record["filename"] = _moved(record["filename"], root)
    log = _CHECKING.sub(lambda match: match["before"] + _moved(match["path"], root), kept.text("ruff.log"))
    return ruff.parse(ended(1 if records else 0, json.dumps(records), log), NOWHERE)


def _pylint(kept: Kept, root: str) -> pylint.Output:
    document: dict[str, Any] = kept.json("pylint.json")
    for message in document["messages"]:
        message["absolutePath"] = _moved(message["absolutePath"], root)
        message["message"] = message["message"].replace(f"{root}/", "") if root else message["message"]
    # The exit code's bits are what the messages' letters say; for us it only has to be none of a clean run.
    outcome = ended(16 if document["messages"] else 0, json.dumps(document))
    return pylint.parse(outcome, kept.text("pylint-walked.txt"), NOWHERE)


def _moved(path: str, root: str) -> str:
    """A path below the tree of then, in the tree that does not exist."""
    return f"{NOWHERE}/{path.removeprefix(f'{root}/')}" if root and path.startswith(f"{root}/") else path


def _root(paths: list[str], names: Iterable[str]) -> str:
    """The folder that the tools ran in: the one below which the paths are the names that were expected."""
    known = frozenset(names)
    first = paths[0] if paths else ""
    candidates = {first.removesuffix(f"/{name}") for name in known if first.endswith(f"/{name}")}
    return max(sorted(candidates), key=lambda root: sum(p.removeprefix(f"{root}/") in known for p in paths), default="")
