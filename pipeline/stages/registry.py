"""The nine stages in the order in which they run. This list is the pipeline.

They stand here as they declare themselves; their work is loaded when it is wanted (:mod:`pipeline.stages.declared`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import ConfigurationError
from pipeline.stages.audit_declared import DeclaredAudit
from pipeline.stages.build_declared import DeclaredBuild
from pipeline.stages.canary_declared import DeclaredCanary
from pipeline.stages.context import Stage
from pipeline.stages.lint_declared import DeclaredLint
from pipeline.stages.push_declared import DeclaredPush
from pipeline.stages.scan_declared import DeclaredScan
from pipeline.stages.secrets_declared import DeclaredSecrets
from pipeline.stages.smoke_declared import DeclaredSmoke
from pipeline.stages.test_declared import DeclaredTest


def pipeline_stages(required: Iterable[str] = (), extra: Iterable[Stage] = ()) -> tuple[Stage, ...]:
    """All stages in order; a project's ``extra`` ones stand before ``push``, which needs every other required stage.

    Raises:
        ConfigurationError: two stages have one name, or a stage needs one that does not exist.
    """
    before: tuple[Stage, ...] = (
        DeclaredLint(),
        DeclaredScan(),
        DeclaredSecrets(),
        DeclaredAudit(),
        DeclaredTest(),
        DeclaredBuild(),
        DeclaredSmoke(),
        DeclaredCanary(),
        *extra,
    )
    names = [stage.name for stage in before]
    needed = tuple(name for name in names if name in set(required))
    stages = (*before, DeclaredPush(needs=needed))
    for stage in stages:
        if names.count(stage.name) > 1:
            raise ConfigurationError(f"There are two stages called {stage.name!r}.")
        for need in stage.needs:
            if need not in names:
                raise ConfigurationError(f"The stage {stage.name!r} needs {need!r}, and there is no such stage.")
    return stages
