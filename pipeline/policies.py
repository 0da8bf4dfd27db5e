"""The policy of a checkout and that of an earlier revision, read in the same way, so that they can be compared."""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pipeline.core.policy_difference import Difference, Policy, judged, setting_differences
from pipeline.core.policy_files import SETTINGS, file_differences, governing, governs
from pipeline.core.snapshot import Snapshot, is_below
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.execution.revisions import Revision, Revisions
from pipeline.settings import SECTIONS, STAGE_NAMES, Project, Settings
from pipeline.settings_loading import effective, load, policy


def policy_of_tree(settings: Settings, snapshot: Snapshot, tree: Path) -> Policy:
    """The policy that a run is held to: its effective settings, and the governing files of its snapshot."""
    texts = {path: _decoded((tree / path).read_bytes()) for path in snapshot.files() if governs(path)}
    return Policy(values=_values(settings), files=_governing(texts))


def policy_of_revision(
    revisions: Revisions, revision: Revision, environ: Mapping[str, str], tree: Path
) -> Policy | None:
    """The policy that the revision was held to, under today's environment; none where it has no settings at all.

    ``tree`` is today's, from which a file is taken that has not changed.

    Raises:
        CouldNotTell: its settings can't be used, or git did not answer.
    """
    objects = {path: facts.split()[1] for path, facts in revisions.files(revision).items()}
    if SETTINGS not in objects:
        return None
    texts = {
        path: _unchanged(tree / path, name) or revisions.text(revision, path)
        for path, name in objects.items()
        if governs(path)
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / SETTINGS).write_text(texts[SETTINGS], encoding="utf-8", errors="surrogateescape")
            settings = load(Path(folder), environ, _own_stages(texts[SETTINGS]))
    except ConfigurationError as error:
        raise CouldNotTell(f"The settings of {revision.commit[:12]} can't be used, so what they asked is not known.",
                           why=error.what) from error  # fmt: skip
    return Policy(values=_values(settings), files=_governing(texts))


def differences(before: Policy, after: Policy, snapshot: Snapshot) -> tuple[Difference, ...]:
    """How the two differ; what both leave out of lint's sight governs nothing."""
    unseen = [
        one["path"]
        for one in before.values.get("lint.exclude", [])
        if one["path"] in {other["path"] for other in after.values.get("lint.exclude", [])}
    ]

    def seen(files: Mapping[str, str]) -> dict[str, str]:
        return {path: text for path, text in files.items() if not any(is_below(path, root) for root in unseen)}

    settings = setting_differences(_comparable(before), _comparable(after), snapshot.has_folder)
    return judged((*settings, *file_differences(seen(before.files), seen(after.files))))


def loosened(of: Policy) -> Policy:
    """The policy with a planted loosening, which a comparison must see."""
    return replace(of, values={**of.values, "required": []})


def _values(settings: Settings) -> dict[str, Any]:
    """What a run demands, and which earlier results it believes in the place of that."""
    reuse = {name: value for name, value, _ in effective(settings) if name.startswith("cache.")}
    return {**policy(settings), **reuse}


def _comparable(of: Policy) -> dict[str, Any]:
    """Without what is compared as a file, and without the revision."""
    return {name: value for name, value in of.values.items() if name not in ("waivers", "against")}


def _governing(texts: Mapping[str, str]) -> dict[str, str]:
    kept = {path: governing(path, text) for path, text in texts.items()}
    return {path: text for path, text in kept.items() if text}


def _own_stages(text: str) -> tuple[str, ...]:
    """The stages that the settings speak of besides the nine: the noxfile that adds them is not loaded for this."""
    try:
        table = tomllib.loads(text).get("tool", {}).get("pipeline", {})
        known = {*SECTIONS, *(item.name for item in fields(Project))}
        tables = [name for name, value in table.items() if isinstance(value, dict) and name not in known]
        named = [name for name in table.get("required", []) if name not in (*STAGE_NAMES, *tables)]
        return (*tables, *named)
    except (tomllib.TOMLDecodeError, TypeError, AttributeError):
        # It is refused where it is loaded, with a sentence.
        return ()


def _unchanged(path: Path, name: str) -> str | None:
    """The file's text if its content is the object ``name``: a digest of "blob", the size and the content.

    Source: Pro Git, 10.2 "Git Internals - Git Objects".
    """
    if not path.is_file() or path.is_symlink():
        return None
    content = path.read_bytes()
    algorithm = "sha1" if len(name) == 40 else "sha256"
    digest = hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return _decoded(content) if digest == name else None


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
