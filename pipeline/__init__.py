"""What a stage of your own is written with; every other name of this package may change without notice.

A noxfile adds its stages beside the nine::

    from pipeline import nox_sessions
    nox_sessions.register(extra=[MyStage()])

The names are loaded when they are first used, so that ``import pipeline`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.core.evidence import Control, Evidence
    from pipeline.core.finding import Confidence, Finding, Severity, weighed
    from pipeline.core.gate import Gate, ceiling_gate, check_gate, count_gate, findings_gate, floor_gate
    from pipeline.core.ports import Outcome, Request
    from pipeline.core.snapshot import Snapshot
    from pipeline.core.stage import Examination, NotChecked, StageResult, Status, Tool
    from pipeline.errors import (
        ConfigurationError,
        CouldNotTell,
        EngineTrouble,
        EnvironmentTrouble,
        FetchTrouble,
        PipelineError,
        RegistryTrouble,
        StorageTrouble,
        TargetFault,
        ToolTrouble,
    )
    from pipeline.settings import Settings
    from pipeline.stages.context import Context, Stage

__all__ = [
    "Confidence",
    "ConfigurationError",
    "Context",
    "Control",
    "CouldNotTell",
    "EngineTrouble",
    "EnvironmentTrouble",
    "Evidence",
    "Examination",
    "FetchTrouble",
    "Finding",
    "Gate",
    "NotChecked",
    "Outcome",
    "PipelineError",
    "RegistryTrouble",
    "Request",
    "Settings",
    "Severity",
    "Snapshot",
    "Stage",
    "StageResult",
    "Status",
    "StorageTrouble",
    "TargetFault",
    "Tool",
    "ToolTrouble",
    "ceiling_gate",
    "check_gate",
    "count_gate",
    "findings_gate",
    "floor_gate",
    "weighed",
]

_HOMES = {
    "core.evidence": ("Control", "Evidence"),
    "core.finding": ("Confidence", "Finding", "Severity", "weighed"),
    "core.gate": ("Gate", "ceiling_gate", "check_gate", "count_gate", "findings_gate", "floor_gate"),
    "core.ports": ("Outcome", "Request"),
    "core.snapshot": ("Snapshot",),
    "core.stage": ("Examination", "NotChecked", "StageResult", "Status", "Tool"),
    "errors": (
        "ConfigurationError", "CouldNotTell", "EngineTrouble", "EnvironmentTrouble", "FetchTrouble", "PipelineError",
        "RegistryTrouble", "StorageTrouble", "TargetFault", "ToolTrouble",
    ),
    "settings": ("Settings",),
    "stages.context": ("Context", "Stage"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives and keep it here (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names and what has been loaded."""
    return sorted({*globals(), *__all__})
