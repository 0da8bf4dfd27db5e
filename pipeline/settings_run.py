"""The keys of ``[tool.pipeline.run]``: how a run is carried out. None of them changes what is demanded."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings_keys import key


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Stages at the same time, their time, and what is tried again."""

    jobs: int = key(
        0, "the most stages at work at once, beside one that mostly waits; 1: one after another; 0: one for each core",
        low=0,
    )  # fmt: skip
    timeout_s: int = key(3600, "seconds after which a stage is stopped, whatever it does, and inconclusive", low=1)
    retries: int = key(
        1, "how often a stage is tried again after trouble with engine, registry or network; never after findings",
        low=0, high=10,
    )  # fmt: skip
    retry_wait_s: float = key(2.0, "seconds between such tries", low=0, high=3600)
