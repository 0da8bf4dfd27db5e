"""The credentials of the snapshot, told before any stage shows a line of it: lint and scan come before the search.

A value is never written down. What is remembered between runs is which files, by their digest, hold none, so that
running one stage again and again does not search the whole tree each time. The stage that judges never relies on it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.stages.context import Context
from pipeline.tools import secret_scanner, secret_scanner_driver, secret_scanner_filters

_MEMORY = "files-without-credentials.json"
PARTS = (secret_scanner_driver, secret_scanner_filters, secret_scanner)

Search = Callable[[tuple[str, ...]], secret_scanner.Output]


def values_in(context: Context, files: tuple[str, ...], scanner: str, search: Search) -> secret_scanner.Output:
    """What the scanner finds in those of the files that may hold a credential; ``scanner`` names its exact version.

    Raises:
        ToolTrouble: it failed, so what must not be shown is not known.
    """
    memory = context.state / _MEMORY
    known = _remembered(memory, scanner)
    digests = {entry.path: entry.digest for entry in context.snapshot.entries}
    unknown = tuple(name for name in files if known.get(name) != digests[name])
    if not unknown:
        return secret_scanner.Output(findings=(), checked=frozenset())
    output = search(unknown)
    dirty = {finding.path for finding in output.findings}
    clean = {name: digests[name] for name in files if name not in unknown or name in output.checked - dirty}
    _remember(memory, scanner, clean)
    return output


def identity(environment: str) -> str:
    """Names what decides what is found: the environment (by its lock) and our own code around the scanner."""
    digest = hashlib.sha256(environment.encode())
    for part in PARTS:
        digest.update(Path(str(part.__file__)).read_bytes())
    return digest.hexdigest()


def _remembered(memory: Path, scanner: str) -> Mapping[str, str]:
    try:
        document = json.loads(memory.read_text(encoding="utf-8"))
        if document["scanner"] == scanner:
            return {str(name): str(digest) for name, digest in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Not there, or damaged: everything is searched again.
        return {}
    return {}


def _remember(memory: Path, scanner: str, clean: Mapping[str, str]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    # Several processes of one run may do this at once; each leaves a whole file.
    temporary = memory.with_name(f".{memory.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"scanner": scanner, "files": clean}), encoding="utf-8")
    temporary.replace(memory)
