"""The canary by absolute limits: where there is no release to compare with, and for a live deployment."""

from __future__ import annotations

from dataclasses import asdict, replace
from urllib.parse import urlsplit

from pipeline.core.canary_details import details_of
from pipeline.core.canary_objectives import Limits, compare_with_limits
from pipeline.core.canary_observed import EVERYWHERE, Check, Outcome, Side, failing, observe, score_of, slowed
from pipeline.core.evidence import Control
from pipeline.core.stage import Examination
from pipeline.core.statistics import quantile
from pipeline.errors import ConfigurationError
from pipeline.settings import Canary
from pipeline.stages.canary_measurement import Measurement, control, doubts_of, gates_of, keep, measure
from pipeline.stages.context import Context

ABSOLUTE = "absolute limits"


def examine_by_limits(context: Context, side: str, address: str) -> Examination:
    """Measure one side and hold it against the limits of the settings."""
    limits = limits_of(context.settings.canary)
    measurement = measure(context, {side: address}, lambda done: True, rounds=1)
    examination, checks = assess_by_limits(measurement, side, limits)
    keep(context, measurement, checks, {"mode": ABSOLUTE, "limits": asdict(limits)})
    return examination


def assess_by_limits(measurement: Measurement, side: str, limits: Limits) -> tuple[Examination, tuple[Check, ...]]:
    """What a measurement of one side amounts to, and the judge's checks."""
    seen = observe(measurement.samples, side, measurement.answers())
    checks = compare_with_limits(seen, limits)
    # What is quick enough on a busy machine is quick enough; of what is too slow there the machine may be the reason.
    disturbed = measurement.disturbances() if any(_too_slow(check) for check in checks) else ()
    if disturbed:
        checks = tuple(replace(check, outcome=Outcome.UNSURE) if _too_slow(check) else check for check in checks)
    examination = Examination(
        evidence=measurement.evidence(limit_controls(seen, limits)),
        gates=gates_of(checks),
        doubts=(*doubts_of(checks), *disturbed),
        metrics={"mode": ABSOLUTE, "score": score_of(checks), **measurement.metrics()},
        details=details_of({side: seen}, checks),
    )
    return examination, checks


def _too_slow(check: Check) -> bool:
    return check.metric != "error rate" and check.outcome is Outcome.FAIL


def limits_of(settings: Canary) -> Limits:
    """The limits as the judge takes them."""
    return Limits(max_error_rate=settings.max_error_rate, max_p95_ms=settings.max_p95_ms)


def limit_controls(seen: Side, limits: Limits) -> tuple[Control, ...]:
    """The judge must object to these very samples made slower than the limit, and with a third of them failing."""
    p95 = [quantile(one.latencies_ms, 0.95) for one in seen.values() if one.latencies_ms]
    factor = 2 * limits.max_p95_ms / min(p95) if p95 and min(p95) > 0 else 1.0
    slow = compare_with_limits(slowed(seen, factor), limits)
    broken = compare_with_limits(failing(seen), limits)
    return (
        control("latency at twice the limit", "p95 latency", seen, slow),
        control("failing third of the requests", "error rate", (EVERYWHERE,), broken),
    )


def live_url(arguments: tuple[str, ...]) -> str:
    """The address behind ``--url`` on the command line, or nothing.

    Raises:
        ConfigurationError: it is not an address that can be asked, or holds a login, which a process list would show.
    """
    given = ""
    for index, argument in enumerate(arguments):
        if argument == "--url":
            given = arguments[index + 1] if index + 1 < len(arguments) else " "
        elif argument.startswith("--url="):
            given = argument.removeprefix("--url=") or " "
    if not given:
        return ""
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"--url {given.strip()!r} is no address.", advice="Give http://HOST[:PORT][/PATH].")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "--url holds a login, and everybody on this machine could read it in the process list."
        )
    return given.rstrip("/")
