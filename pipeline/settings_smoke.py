"""The keys of ``[tool.pipeline.smoke]`` that say how much is asked of the running container, and how hard."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings_keys import key

DOSES = ("standard", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeDose:
    """What the container is put through."""

    dose: str = key(
        "standard", "'standard', or 'full' with chaos checks and long fuzzing, for schedules and releases", one_of=DOSES
    )
    openapi: str = key(
        "", "the OpenAPI document (JSON): a path in the repository, or with a leading '/' a path of the service"
    )
    requests: tuple[str, ...] = key(
        (), "what is sent as load, in turn, as 'GET /path' or '/path'; default: smoke.ready_path"
    )
    load_connections: int = key(32, "connections that are open while SIGTERM comes", low=2, high=512)
    load_requests: int = key(600, "requests in each half of the load under which memory is watched", low=100)
    max_growth_mb: float = key(8.0, "mebibytes that memory may grow by in the second half of that load", low=0)
    max_growth_files: int = key(8, "file handles that may be added in the second half of that load", low=0)
    fuzz_examples: int = key(5, "generated requests for each operation in the standard dose", low=1)
    fuzz_s: int = key(60, "seconds of generated requests in the full dose", low=1)
    stalled_s: float = key(30.0, "seconds within which a client that stalls must be cut off (full dose)", low=0.1)
