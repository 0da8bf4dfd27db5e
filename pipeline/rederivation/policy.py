"""``policy`` again, from both policies as they were compared and the changes that the report tells."""

from __future__ import annotations

from typing import Any

from pipeline.core.evidence import Evidence
from pipeline.core.gate import check_gate
from pipeline.core.policy_difference import Effect
from pipeline.core.stage import Examination, Metric
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.policy_stage import THE_SETTINGS, UNAPPROVED
from pipeline.rederivation.kept import Kept

_OF_THE_RUN = ("against", "waivers")
"""What a run adds to the settings in its policy."""


def rederived(kept: Kept) -> Rederived:
    """What the changes amount to; that there are no others, only a comparison in the checkout tells."""
    document: dict[str, Any] = kept.json("policy.json")
    sides = [document[side] for side in ("before", "after") if document[side]]
    told = kept.record.policy
    settings = {name: value for name, value in document["after"]["settings"].items() if name not in _OF_THE_RUN}
    other = sorted(name for name, value in settings.items() if told.get(name, value) != value)
    if other:
        raise ToolTrouble(f"The policy that was compared has other values than the report's: {', '.join(other[:5])}.")
    loosening = [change for change in kept.record.changes if change.effect is Effect.LOOSENS]
    unapproved = sum(not change.approved for change in loosening)
    parts = {THE_SETTINGS}.union(*(side["files"] for side in sides))
    metrics: dict[str, Metric] = {
        "loosening": len(loosening), "unapproved": unapproved, "changes": len(kept.record.changes),
    }  # fmt: skip
    return Rederived(
        examination=Examination(
            evidence=Evidence.of(kept.evidence.unit, expected=parts, checked=parts),
            gates=(check_gate(not unapproved, what=UNAPPROVED, allowed="0", found=str(unapproved)),),
            metrics=metrics,
        ),
        tools=(),
        fields=(),
        metrics=tuple(metrics),
        taken=("That these are all changes of the policy, and who approved them, rest on the report's own word.",),
    )
