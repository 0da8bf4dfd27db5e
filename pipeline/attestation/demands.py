"""What is demanded of an image before it is believed: the policy of ``pipeline verify --image`` and ``promote``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.statement import PROVENANCE, SBOM, SUMMARY, TEST_RESULT
from pipeline.errors import ConfigurationError
from pipeline.settings import STAGE_NAMES

KINDS = {
    "provenance": PROVENANCE,
    "test-result": TEST_RESULT,
    "verification-summary": SUMMARY,
    "sbom": SBOM,
}
"""The attestations by the names that a policy uses."""

ALWAYS = ("provenance", "test-result", "verification-summary")
_KEYS = {
    "builder": "a text",
    "source": "a text",
    "stages": "a list of names that is not empty",
    "attestations": "a list of names",
    "max_age_days": "a number above 0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """``builder`` and ``source`` are URIs, or empty: any. ``stages`` must have passed; ``attestations`` must be there.

    ``max_age_days`` is the age up to which a verification summary counts, or none.
    """

    stages: tuple[str, ...]
    attestations: tuple[str, ...] = ALWAYS
    builder: str = ""
    source: str = ""
    max_age_days: float | None = None


def usual(required: tuple[str, ...] = STAGE_NAMES) -> Demands:
    """What is demanded where nobody wrote a policy: every required stage but push, which is what signs."""
    return Demands(stages=tuple(name for name in required if name != "push"))


def read_demands(text: str, source: str, otherwise: Demands) -> Demands:
    """The policy in a TOML file called ``source``; what it does not say is as in ``otherwise``.

    Raises:
        ConfigurationError: it is no TOML, or has an unknown key, a value of another type, or demands nothing.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The policy {source} can't be read as TOML: {error}.") from error
    faults = [*_faults(document)]
    if faults:
        known = ", ".join(_KEYS)
        raise ConfigurationError(
            f"The policy {source} can't be used: {' '.join(faults)}", advice=f"It may hold {known}."
        )
    attestations = tuple(document.get("attestations", otherwise.attestations))
    return Demands(
        builder=document.get("builder", otherwise.builder),
        source=document.get("source", otherwise.source),
        stages=tuple(document.get("stages", otherwise.stages)),
        # Without these three there would be nothing that says pass.
        attestations=(*ALWAYS, *(name for name in attestations if name not in ALWAYS)),
        max_age_days=document.get("max_age_days", otherwise.max_age_days),
    )


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if name not in _KEYS:
            yield f"There is no key {name!r}."
        elif not _fits(name, value):
            yield f"{name} must be {_KEYS[name]}."
    for item in document.get("attestations", ()):
        if item not in KINDS:
            yield f"There is no attestation {item!r}; there are {', '.join(KINDS)}."


def _fits(name: str, value: Any) -> bool:
    if name in ("builder", "source"):
        return isinstance(value, str)
    if name == "max_age_days":
        return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    words = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    # Who demands no stage is shown nothing.
    return words and (bool(value) or name == "attestations")
