"""Whether what is held about an image is signed, about this image, and what is demanded. Pure; fails closed.

The newest verification summary whose signature counts leads: it names by their digests the attestations that were
looked at when it was made, so what belongs together is judged together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.attestation.demands import KINDS, Demands
from pipeline.attestation.envelope import NotTrusted
from pipeline.attestation.predicates import BUILD_TYPE, PASSED
from pipeline.attestation.reading import Held
from pipeline.attestation.statement import PROVENANCE, SUMMARY, TEST_RESULT, TITLES, Statement, read_statement
from pipeline.attestation.trust import Trust
from pipeline.core.verification import Statement as Finding
from pipeline.core.verification import confirmed, contradicted, left_open, outdated

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An attestation whose signature holds and which is about the image; ``digest`` is that of what was signed."""

    statement: Statement
    digest: str


def checked(held: Held, trust: Trust, demands: Demands, now: datetime) -> tuple[Finding, ...]:
    """What can be said of the image; it may be believed if nothing is contradicted or outdated.

    ``trust`` says whose signatures count; ``now`` has its zone.
    """
    opened, refused = _opened(held, trust)
    chosen = _chosen(opened)
    return (
        _signature(held, trust),
        *_presence(chosen, refused, demands, trust),
        *_summary(chosen.get(SUMMARY), held.image.digest, demands, now),
        *_links(chosen),
        *_tests(chosen.get(TEST_RESULT), demands),
        *_provenance(chosen.get(PROVENANCE), demands),
    )


def _signature(held: Held, trust: Trust) -> Finding:
    try:
        name = trust.signed_as(held)
    except NotTrusted as error:
        return contradicted("signature", str(error))
    return confirmed("signature", f"{_begun(trust.title)} has signed {held.image.digest} as {name}.")


def _opened(held: Held, trust: Trust) -> tuple[list[Opened], list[str]]:
    """The attestations that may be read, and why others may not."""
    payloads, reasons = trust.payloads(held)
    opened, refused = [], list(reasons)
    for payload in payloads:
        try:
            statement = read_statement(payload, held.image.digest)
        except NotTrusted as error:
            refused.append(str(error))
        else:
            opened.append(Opened(statement=statement, digest=hashlib.sha256(payload).hexdigest()))
    return opened, refused


def _chosen(opened: list[Opened]) -> dict[str, Opened]:
    """The newest summary, and the attestations that it names; of kinds that it does not name, any."""
    summaries = [item for item in opened if item.statement.predicate_type == SUMMARY]
    leading = max(summaries, key=lambda item: str(item.statement.predicate.get("timeVerified", "")), default=None)
    named = _named(leading.statement) if leading else {}
    ordered = sorted(opened, key=lambda item: item.digest == named.get(item.statement.predicate_type))
    chosen = {item.statement.predicate_type: item for item in ordered}
    return {**chosen, SUMMARY: leading} if leading else chosen


def _named(summary: Statement) -> dict[str, str]:
    """The digests that a summary names, by predicate type."""
    found = {}
    inputs = summary.predicate.get("inputAttestations")
    for item in inputs if isinstance(inputs, list) else ():
        if isinstance(item, dict) and isinstance(item.get("digest"), dict):
            found[str(item.get("uri"))] = str(item["digest"].get("sha256"))
    return found


def _presence(chosen: Mapping[str, Opened], refused: list[str], demands: Demands, trust: Trust) -> Iterator[Finding]:
    why = f" {' '.join(dict.fromkeys(refused))}" if refused else ""
    for name, kind in KINDS.items():
        if kind in chosen:
            yield confirmed(TITLES[kind], f"The {TITLES[kind]} is signed by {trust.short}, and about this image.")
        elif name in demands.attestations:
            yield contradicted(
                TITLES[kind], f"There is no {TITLES[kind]} for this image that {trust.short} has signed.{why}"
            )
    if refused:
        yield left_open("attestations", f"{len(refused)} more are there, and count for nothing.{why}")


def _summary(item: Opened | None, digest: str, demands: Demands, now: datetime) -> Iterator[Finding]:
    if item is None:
        return
    predicate, about = item.statement.predicate, TITLES[SUMMARY]
    result = predicate.get("verificationResult")
    if result != PASSED:
        yield contradicted(about, f"It says {str(result)[:40]!r} and not {PASSED!r}.")
    if digest.partition(":")[2] not in str(predicate.get("resourceUri")):
        yield contradicted(about, "The resource that it names is not this image.")
    try:
        age = now - datetime.fromisoformat(str(predicate.get("timeVerified"))).astimezone(UTC)
    except ValueError:
        yield contradicted(about, "It does not say when it was made.")
        return
    days = age / timedelta(days=1)
    if age < -_CLOCKS_DIFFER:
        yield contradicted(about, f"It was made in the future: {predicate.get('timeVerified')}.")
    elif demands.max_age_days is None:
        yield left_open(about, f"It is {max(days, 0):.1f} days old, and the policy sets no limit.")
    elif days > demands.max_age_days:
        yield outdated(about, f"It is {days:.1f} days old; at most {demands.max_age_days:g} are allowed.")
    else:
        yield confirmed(about, f"It is {max(days, 0):.1f} days old; at most {demands.max_age_days:g} are allowed.")


def _links(chosen: Mapping[str, Opened]) -> Iterator[Finding]:
    """Whether the summary was made from the very attestations that are there."""
    if SUMMARY not in chosen:
        return
    named = _named(chosen[SUMMARY].statement)
    for kind in (PROVENANCE, TEST_RESULT):
        if kind in chosen and named.get(kind) != chosen[kind].digest:
            yield contradicted(TITLES[kind], f"The verification summary was not made from this {TITLES[kind]}.")


def _tests(item: Opened | None, demands: Demands) -> Iterator[Finding]:
    if item is None:
        return
    predicate, about = item.statement.predicate, TITLES[TEST_RESULT]
    passed, failed = (predicate.get(name) for name in ("passedTests", "failedTests"))
    if predicate.get("result") != PASSED or failed:
        yield contradicted(about, f"It says {str(predicate.get('result'))[:40]!r} and not {PASSED!r}.")
    missing = [name for name in demands.stages if not isinstance(passed, list) or name not in passed]
    if missing:
        yield contradicted(about, f"It does not say that these stages have passed: {', '.join(missing)}.")
    else:
        yield confirmed(about, f"These stages have passed: {', '.join(demands.stages)}.")


def _provenance(item: Opened | None, demands: Demands) -> Iterator[Finding]:
    if item is None:
        return
    predicate, about = item.statement.predicate, TITLES[PROVENANCE]
    kind = _at(predicate, "buildDefinition", "buildType")
    if kind != BUILD_TYPE:
        yield contradicted(about, f"It is of a build of the type {str(kind)[:80]!r}, which is not known here.")
    for what, found, wanted in (
        ("builder", _at(predicate, "runDetails", "builder", "id"), demands.builder),
        ("source", _at(predicate, "buildDefinition", "externalParameters", "source"), demands.source),
    ):
        if not wanted:
            yield left_open(about, f"Its {what} is {str(found or 'not named')[:200]}, and the policy demands none.")
        elif found == wanted:
            yield confirmed(about, f"Its {what} is {wanted}.")
        else:
            yield contradicted(about, f"Its {what} is {str(found)[:200]!r} and not {wanted}.")


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _begun(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]
