"""A change may not loosen its own gate: the difference in policy against an earlier revision, as a result of its own.

It is there only where there is a revision to compare with. Then it stands first among the results, is required, and
``push`` needs it: so the verdict, JUnit and every other reader of results tell of it without knowing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.against import POLICY as NAME
from pipeline.against import Resolved
from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import check_gate
from pipeline.core.plan import Step
from pipeline.core.policy_difference import Difference, Effect, Policy
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.execution.revisions import Revisions
from pipeline.policies import differences, loosened, policy_of_revision, policy_of_tree
from pipeline.settings import STAGE_NAMES, Settings
from pipeline.stages.context import Context, Stage

APPROVED_VARIABLE = "PIPELINE_APPROVED_POLICY"
"""The digests of policies, parted by blanks or commas, that whoever sets CI's own variables has approved."""

THE_SETTINGS = "the settings"
UNAPPROVED = "changes that loosen the policy and are not approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStage:
    """Unit of work: the parts of the policy. Expected: the settings and each governing file of either side.

    ``before`` is the revision's policy; none where it had none, or, with ``trouble``, where it could not be read.
    """

    after: Policy
    before: Policy | None = None
    changes: tuple[Difference, ...] = ()
    caught: bool = True
    title: str = ""
    trouble: str = ""
    name: str = NAME
    summary: str = "Compare what is demanded with what the earlier revision demanded."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Nothing that the settings say could make it impossible."""

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """What is approved may change at any moment."""
        del context, result
        return False

    def run(self, context: Context) -> Examination:
        """Tell of the changes; those that loosen without approval fail."""
        old, new = (None if p is None else {"settings": p.values, "files": p.files} for p in (self.before, self.after))
        context.keep("policy.json", json.dumps({"before": old, "after": new}, indent=2, sort_keys=True))
        parts = {THE_SETTINGS, *self.after.files, *(self.before.files if self.before else ())}
        loosening = [change for change in self.changes if change.effect is Effect.LOOSENS]
        unapproved = sum(not change.approved for change in loosening)
        gate = check_gate(
            not unapproved,
            what=UNAPPROVED,
            allowed="0",
            found=str(unapproved),
        )
        return Examination(
            evidence=Evidence.of(
                "parts of the policy",
                expected=parts,
                checked=() if self.trouble else parts,
                controls=(Control(tool="the comparison", planted="policy that requires no stage", caught=self.caught),),
            ),
            gates=(gate,),
            metrics={"loosening": len(loosening), "unapproved": unapproved, "changes": len(self.changes)},
            doubts=(self.trouble,) if self.trouble else (),
            notes=(*self._notes(), *self._advice(unapproved)),
        )

    def _notes(self) -> tuple[str, ...]:
        if not self.trouble and self.before is None:
            return (f"{self.title} has no settings of the pipeline, so there was nothing to loosen.",)
        return tuple(f"{shown(change)} {change.sentence}" for change in self.changes)

    def _advice(self, unapproved: int) -> tuple[str, ...]:
        if not unapproved:
            return ()
        return (
            "If this is wanted, bring it to the base branch by itself first, or set "
            f"{APPROVED_VARIABLE}={self.after.digest} among the CI system's own variables.",
        )


def steps_of(stages: Iterable[Stage], *, compared: bool) -> tuple[Step, ...]:
    """The stages' places in the plan; where policies are compared that comes first, and nothing is pushed without it.

    Raises:
        ConfigurationError: a project's own stage has the name that is kept for this one.
    """
    steps = tuple(Step(name=stage.name, needs=stage.needs) for stage in stages)
    if any(step.name == NAME for step in steps):
        raise ConfigurationError(f"A stage can't be called {NAME!r}, which is the pipeline's own.")
    if not compared:
        return steps
    last = STAGE_NAMES[-1]
    return (Step(name=NAME), *(replace(s, needs=(NAME, *s.needs)) if s.name == last else s for s in steps))


def shown(change: Difference) -> str:
    """How a change is called in front of its sentence."""
    return f"{str(change.effect).capitalize()}{', approved' if change.approved else ''}:"


def policy_stage(
    resolved: Resolved,
    revisions: Revisions,
    *,
    settings: Settings,
    snapshot: Snapshot,
    tree: Path,
    environ: Mapping[str, str],
) -> PolicyStage:
    """The stage for this run, the policies read and compared."""
    after = policy_of_tree(settings, snapshot, tree)
    title = f"{resolved.against.revision} ({resolved.against.commit[:12]})"
    if resolved.revision is None:
        return PolicyStage(after=after, title=title, trouble=resolved.trouble)
    try:
        before = policy_of_revision(revisions, resolved.revision, environ, tree)
        trusted = policy_of_revision(revisions, resolved.trusted, environ, tree) if resolved.trusted else None
    except CouldNotTell as trouble:
        return PolicyStage(after=after, title=title, trouble=str(trouble))
    caught = any(change.effect is Effect.LOOSENS for change in differences(after, loosened(after), snapshot))
    if before is None:
        return PolicyStage(after=after, title=title, caught=caught)
    changes = differences(before, after, snapshot)
    approved = after.digest in re.split(r"[\s,]+", environ.get(APPROVED_VARIABLE, ""))
    landed = changes if trusted is None else differences(trusted, after, snapshot)
    open_ones = {(change.subject, change.item) for change in landed if change.effect is Effect.LOOSENS}
    return PolicyStage(
        after=after,
        before=before,
        changes=tuple(
            replace(c, approved=c.effect is Effect.LOOSENS and (approved or (c.subject, c.item) not in open_ones))
            for c in changes
        ),
        caught=caught,
        title=title,
    )
