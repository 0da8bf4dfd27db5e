"""Whether what is held about an image is signed, about this image, and what is demanded. Pure; fails closed.

The newest verification summary that this key has signed leads: it names by their digests the attestations that were
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
from pipeline.attestation.keys import PublicKey
from pipeline.attestation.predicates import BUILD_TYPE, PASSED
from pipeline.attestation.reading import Held
from pipeline.attestation.simple_signing import signed_reference
from pipeline.attestation.statement import PROVENANCE, SUMMARY, TEST_RESULT, TITLES, Statement, read_statement
from pipeline.core.verification import Statement as Finding
from pipeline.core.verification import confirmed, contradicted, left_open, outdated

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An attestation whose signature holds and which is about the image; ``digest`` is that of what was signed."""

    statement: Statement
    digest: str


def checked(held: Held, key: PublicKey, demands: Demands, now: datetime) -> tuple[Finding, ...]:
    """What can be said of the image; it may be believed if nothing is contradicted or outdated.

    ``now`` has its zone.
    """
    opened, refused = _opened(held, key)
    chosen = _chosen(opened)
    return (
        _signature(held, key),
        *_presence(chosen, refused, demands),
        *_summary(chosen.get(SUMMARY), held.image.digest, demands, now),
        *_links(chosen),
        *_tests(chosen.get(TEST_RESULT), demands),
        *_provenance(chosen.get(PROVENANCE), demands),
    )


def _signature(held: Held, key: PublicKey) -> Finding:
    about, digest = "signature", held.image.digest
    if not held.signatures:
        return contradicted(about, f"There is no signature on {digest}.")
    reasons = []
    for payload, signature in held.signatures:
        if not key.verifies(signature, payload):
            reasons.append("It is by another key, or what was signed has been changed.")
            continue
        try:
            name = signed_reference(payload, digest)
        except NotTrusted as error:
            reasons.append(str(error))
            continue
        return confirmed(about, f"The key {key.id[:12]} has signed {digest} as {name}.")
    return contradicted(
        about, f"No signature on {digest} is by the key {key.id[:12]}: {' '.join(dict.fromkeys(reasons))}"
    )


def _opened(held: Held, key: PublicKey) -> tuple[list[Opened], list[str]]:
    """The attestations that may be read, and why others may not."""
    opened, refused = [], []
    for envelope in held.envelopes:
        try:
            payload = envelope.opened(key)
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


def _presence(chosen: Mapping[str, Opened], refused: list[str], demands: Demands) -> Iterator[Finding]:
    why = f" {' '.join(dict.fromkeys(refused))}" if refused else ""
    for name, kind in KINDS.items():
        if kind in chosen:
            yield confirmed(TITLES[kind], f"The {TITLES[kind]} is signed by this key, and about this image.")
        elif name in demands.attestations:
            yield contradicted(
                TITLES[kind], f"There is no {TITLES[kind]} for this image that this key has signed.{why}"
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
