"""What a stage found, with what the snapshot knows besides: the source lines around each place, and who owns the file.

Right after a stage has run and for all stages alike, so that no tool's adapter has to think of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.core import code_owners
from pipeline.core.code_owners import CodeOwners
from pipeline.core.finding import Finding
from pipeline.core.snapshot import Kind, Snapshot
from pipeline.core.stage import Examination
from pipeline.core.surroundings import with_surroundings

LARGEST_BYTES = 8 * 2**20
"""Of a larger file no lines are shown: it was made by a program, and reading it again would cost more than it tells."""


def elaborated(examination: Examination, snapshot: Snapshot, tree: Path) -> Examination:
    """The examination with the context and the owner of each finding in a file of the snapshot laid out in ``tree``."""
    if not examination.findings:
        return examination
    files = frozenset(
        entry.path
        for entry in snapshot.entries
        if entry.kind in (Kind.FILE, Kind.EXECUTABLE) and entry.size <= LARGEST_BYTES
    )
    texts = _texts(examination.findings, files, tree)
    return replace(examination, findings=with_surroundings(examination.findings, texts, _owners(snapshot, files, tree)))


def _texts(findings: Iterable[Finding], files: frozenset[str], tree: Path) -> dict[str, str]:
    wanted = {finding.path for finding in findings if finding.line} & files
    contents = {path: (tree / path).read_bytes() for path in wanted}
    # Of a binary file no line means anything to a reader.
    return {path: _decoded(content) for path, content in contents.items() if b"\0" not in content}


def _owners(snapshot: Snapshot, files: frozenset[str], tree: Path) -> CodeOwners:
    place = next((place for place in code_owners.PLACES if place in files), "")
    if not place or snapshot.by_path[place].size > code_owners.LARGEST_BYTES:
        return CodeOwners()
    return code_owners.parse(_decoded((tree / place).read_bytes()))


def _decoded(content: bytes) -> str:
    return content.decode("utf-8-sig", "backslashreplace")
