"""``canary``: the candidate beside fresh containers of the current release, under the same requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.stage import Examination, Tool
from pipeline.stages.canary_comparison import COMPARISON, beside
from pipeline.stages.canary_declared import DeclaredCanary
from pipeline.stages.canary_limits import examine_by_limits, live_url
from pipeline.stages.canary_live import examine_live
from pipeline.stages.context import Context
from pipeline.stages.service_container import image_under_test, serving

__all__ = ["CANDIDATE", "COMPARISON", "RELEASE", "TWIN", "CanaryStage"]


@dataclass(frozen=True, slots=True)
class CanaryStage(DeclaredCanary):
    """Unit of work: samples. Expected: the planned requests. Checked: those that were sent, answered or not."""

    def run(self, context: Context) -> Examination:
        """Judge a live deployment, or the built image beside the release, or by absolute limits when there is none."""
        self.check_settings(context.settings, context.snapshot)
        url = live_url(context.arguments)
        if url:
            return examine_live(context, url)
        image = image_under_test(context)
        release = context.ports.registries().current_release()
        examination = beside(context, image, release) if release else _first_release(context, image)
        engine = context.ports.engine()
        return replace(
            examination,
            tools=(Tool(name=engine.name, version=engine.version),),
            metrics={**examination.metrics, "image_id": image},
        )


def _first_release(context: Context, image: str) -> Examination:
    with serving(context, image, CANDIDATE) as candidate:
        examination = examine_by_limits(context, CANDIDATE, candidate.base_url)
    canary = context.settings.canary
    note = (
        "There is no release yet to compare with, so the candidate was judged by absolute objectives alone: at most "
        f"{canary.max_error_rate:.2%} errors, and 95 % of the answers of each endpoint within {canary.max_p95_ms:g} ms."
    )
    return replace(examination, notes=(note,))
