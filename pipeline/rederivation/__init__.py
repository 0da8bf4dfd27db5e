"""From what a report kept of a stage back to what it examined: one file a stage, pure, with the stages' own functions.

``DERIVATIONS`` is the list. A stage that is not in it (a project's own) keeps whatever it likes; nobody here can read
that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.against import POLICY
from pipeline.core.verification_raw import Rederived
from pipeline.rederivation import audit, build, canary, lint, policy, push, scan, secrets, smoke, tests
from pipeline.rederivation.kept import Kept

__all__ = ["DERIVATIONS", "Kept"]

DERIVATIONS: Mapping[str, Callable[[Kept], Rederived]] = {
    "lint": lint.rederived,
    "scan": scan.rederived,
    "secrets": secrets.rederived,
    "audit": audit.rederived,
    "test": tests.rederived,
    "build": build.rederived,
    "smoke": smoke.rederived,
    "canary": canary.rederived,
    "push": push.rederived,
    POLICY: policy.rederived,
}
"""For each stage what reads its raw outputs again. Each raises a PipelineError, or a ValueError, KeyError, TypeError or
AttributeError, for outputs that are not the stage's own.
"""
