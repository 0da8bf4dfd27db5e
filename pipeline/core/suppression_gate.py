"""The gates on suppressions: a most of each kind, a reason for every one, and none that suppresses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.core.evidence import listed
from pipeline.core.gate import Gate, ceiling_gate, check_gate
from pipeline.core.stage import Examination, Suppression
from pipeline.core.suppressions import SuppressionKind, states_a_reason

WITHOUT_REASON = "suppressions without a reason"
UNUSED = "suppressions that suppress nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """How many suppressions of a kind pass: ``most``, or any number; ``key`` is where that is set."""

    kind: SuppressionKind
    what: str
    key: str
    most: int | None


def gated(
    examination: Examination,
    found: Sequence[Suppression],
    limits: Sequence[Most],
    *,
    reasons: bool,
    unused: Sequence[str] | None = None,
) -> Examination:
    """The examination with its suppressions listed, and the gates on them.

    ``reasons`` says whether each needs one. ``unused`` are the places of those that the tools know to suppress nothing;
    none where no tool can tell.
    """
    gates = [_most_gate(limit, sum(item.kind == limit.kind for item in found)) for limit in limits]
    gates.append(_reasons_gate([item for item in found if not states_a_reason(item)], needed=reasons))
    if unused is not None:
        gates.append(_none_gate(UNUSED, unused))
    counts = {str(limit.kind): sum(item.kind == limit.kind for item in found) for limit in limits}
    return replace(
        examination,
        gates=(*examination.gates, *gates),
        suppressions=(*examination.suppressions, *found),
        metrics={**examination.metrics, **counts},
    )


def surplus(path: str, found: int, hidden: int) -> tuple[str, ...]:
    """What to say of a file in which ``found`` comments hid ``hidden`` findings: each one used hides at least one."""
    if found <= hidden:
        return ()
    return (f"{path} ({found - hidden} of {found})",)


def _most_gate(limit: Most, count: int) -> Gate:
    if limit.most is None:
        return check_gate(True, what=limit.what, allowed=f"any number (no {limit.key} is set)", found=str(count))
    return ceiling_gate(count, limit.most, what=limit.what, digits=0)


def _reasons_gate(lacking: Sequence[Suppression], *, needed: bool) -> Gate:
    places = [f"{item.path}:{item.line} {item.kind}" for item in lacking]
    if needed:
        return _none_gate(WITHOUT_REASON, places)
    allowed = "any number (suppressions_need_reasons is off)"
    return check_gate(True, what=WITHOUT_REASON, allowed=allowed, found=str(len(places)))


def _none_gate(what: str, places: Sequence[str]) -> Gate:
    found = f"{len(places)}: {listed(places)}" if places else "0"
    return check_gate(not places, what=what, allowed="0", found=found)
