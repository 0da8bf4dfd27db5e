"""The files of a report against what the report names: missing, changed and extra ones are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.core.stage import StageResult
from pipeline.core.verification import Statement, confirmed, contradicted

REPORT = "report"


def named_files(results: Iterable[StageResult]) -> Mapping[str, str]:
    """The digests of the raw outputs that the results name, by path; of a path named twice the last one."""
    return {artifact.path: artifact.sha256 for result in results for artifact in result.artifacts}


def misplaced(result: StageResult) -> tuple[Statement, ...]:
    """Artifacts that a result has no business to name: below another folder than its own, or more than once."""
    paths = [artifact.path for artifact in result.artifacts]
    own = f"stages/{result.name}/raw/"
    statements = [
        contradicted(result.name, f"The result names {path!r} as its raw output, which lies outside of {own}.")
        for path in paths
        if not path.startswith(own) or ".." in path.split("/")
    ]
    if len(set(paths)) < len(paths):
        statements.append(contradicted(result.name, "The result names one raw output more than once."))
    return tuple(statements)


def compared_files(named: Mapping[str, str], found: Mapping[str, str], others: Iterable[str]) -> tuple[Statement, ...]:
    """What was ``named`` against what was ``found``, each a digest by path.

    ``others`` are files that are checked in other ways.
    """
    statements = []
    for path, digest in sorted(named.items()):
        if path not in found:
            statements.append(contradicted(REPORT, f"{path} is missing."))
        elif found[path] != digest:
            statements.append(contradicted(REPORT, f"{path} was changed: its digest is not the one that was recorded."))
    accounted = {*named, *others}
    statements.extend(
        contradicted(REPORT, f"{path} is extra: no result names it.") for path in sorted(found) if path not in accounted
    )
    whole = sum(found.get(path) == digest for path, digest in named.items())
    if whole == len(named):
        statements.append(
            confirmed(REPORT, f"All {whole} files that the report names are there and have the digests that it names.")
        )
    return tuple(statements)
