"""The nine stages in the order in which they run. This list is the pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import ConfigurationError
from pipeline.stages.audit import AuditStage
from pipeline.stages.build import BuildStage
from pipeline.stages.canary import CanaryStage
from pipeline.stages.context import Stage
from pipeline.stages.lint import LintStage
from pipeline.stages.push import PushStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from pipeline.stages.smoke import SmokeStage
from pipeline.stages.test import TestStage


def pipeline_stages(required: Iterable[str] = (), extra: Iterable[Stage] = ()) -> tuple[Stage, ...]:
    """All stages in order; a project's ``extra`` ones stand before ``push``, which needs every other required stage.

    Raises:
        ConfigurationError: two stages have one name, or a stage needs one that does not exist.
    """
    before: tuple[Stage, ...] = (
        LintStage(),
        ScanStage(),
        SecretsStage(),
        AuditStage(),
        TestStage(),
        BuildStage(),
        SmokeStage(),
        CanaryStage(),
        *extra,
    )
    names = [stage.name for stage in before]
    needed = tuple(name for name in names if name in set(required))
    stages = (*before, PushStage(needs=needed))
    for stage in stages:
        if names.count(stage.name) > 1:
            raise ConfigurationError(f"There are two stages called {stage.name!r}.")
        for need in stage.needs:
            if need not in names:
                raise ConfigurationError(f"The stage {stage.name!r} needs {need!r}, and there is no such stage.")
    return stages
