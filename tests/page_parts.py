"""What the reports of :mod:`tests.page_samples` are put together from: stages, details, earlier runs."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.core.canary_details import details_of
from pipeline.core.canary_judge import Check, Comparison, Observed, Side, compare
from pipeline.core.component import Component, ComponentKind
from pipeline.core.containers import Image, Layer
from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import Gate, floor_gate
from pipeline.core.history import HistoryEntry, PastStage
from pipeline.core.image_details import PACKAGE_SIZES, described
from pipeline.core.stage import Artifact, NotChecked, StageResult, Status, Suppression, Tool

STAGES = ("lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push")
BEGUN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
# In the order of the stages, not by their names: a scanner for credentials has its doubts about a key called "secrets".
_TOOLS = dict(
    zip(
        STAGES,
        (
            "ruff 0.17.6, pylint 4.1.4",
            "bandit 1.9.4",
            "detect-secrets 1.5.0",
            "pip-audit 2.10.1, cyclonedx-bom 7.5.0",
            "pytest 9.2.0, coverage 7.17.3",
            "docker 20.10.24",
            "docker 20.10.24, pytest 9.2.0",
            "docker 20.10.24",
            "docker 20.10.24",
        ),
        strict=True,
    )
)
_UNITS = dict(
    zip(
        STAGES,
        (
            ("files", 142),
            ("files", 142),
            ("files", 381),
            ("locked packages", 11),
            ("test functions", 487),
            ("parts of the image", 40),
            ("checks and tests", 32),
            ("samples", 400),
            ("blobs and tags", 7),
        ),
        strict=True,
    )
)
_FLOORS = {
    "lint": (floor_gate(9.96, 9.5, what="pylint score"),),
    "test": (floor_gate(97.1, 95, what="coverage", unit=" %"),),
}
_SECONDS = dict(zip(STAGES, (36.69, 4.29, 3.83, 3.1, 48.2, 10.5, 7.5, 6.4, 2.2), strict=True))


def stage(name: str) -> StageResult:
    """A stage that passes."""
    unit, count = _UNITS[name]
    names = [f"{unit} {number}" for number in range(count)]
    tools = tuple(Tool(name=tool.split()[0], version=tool.split()[1]) for tool in _TOOLS[name].split(", "))
    fault = Control(tool=tools[0].name, planted="fault", caught=True)
    what = f"{name} findings of severity medium or worse"
    result = StageResult(
        name=name,
        status=Status.PASS,
        reasons=(),
        evidence=Evidence.of(unit, expected=names, checked=names, controls=[fault]),
        gates=(Gate(what=what, allowed="0", found="0", passed=True, of_findings=True),),
        tools=tools,
        artifacts=tuple(_artifacts(name, tools)),
        started=at(sum(list(_SECONDS.values())[: STAGES.index(name)])),
        duration_s=_SECONDS[name],
        command=f"nox -s {name}",
    )
    made = replace(result, gates=(*result.gates, *_FLOORS.get(name, ())), **_own(name))
    return replace(made, reasons=made.notes)


def _own(name: str) -> dict[str, Any]:
    """What only this stage has, besides gates."""
    digest = "sha256:" + "8" * 64
    known: dict[str, dict[str, Any]] = {
        "lint": {
            "notes": ("pylint score 9.96/10, previous run 9.95, +0.01.",),
            "metrics": {"score": 9.96},
            "not_checked": (
                NotChecked(what="tests/fixtures (13 files)", reason="Other projects, broken on purpose."),
                NotChecked(what="ruff rule N818", reason="It is switched off in pyproject.toml."),
            ),
            "suppressions": (
                Suppression(kind="noqa", path="service/app.py", line=12, text="# noqa: E402", reason="the path first"),
                Suppression(kind="noqa", path="noxfile.py", line=19, text="# noqa: E402", reason="the path first"),
                Suppression(kind="pylint-disable", path="service/b.py", line=4, text="pylint: disable=W0621"),
            ),
        },
        "test": {
            "notes": ("487 tests ran, coverage 97.10 % of 3204 statements.",),
            "metrics": {"coverage": 97.1},
        },
        "audit": {"components": (component("flask", "3.1.3"), component("gunicorn", "27.0.1"))},
        "build": {
            "details": {
                **image_details(),
                PACKAGE_SIZES: [{"kind": "pypi", "name": "flask", "version": "3.1.3", "size_bytes": 1_200_000}],
            },
            "components": (component("libc6", "2.41-12+deb13u4", ComponentKind.DEBIAN), component("flask", "3.1.3")),
        },
        "canary": {"details": canary_details()[0]},
        "push": {
            "metrics": {"manifest_digest": digest, "reference": f"registry.example.org/echo-service@{digest}"},
        },
    }
    return known.get(name, {})


def past(count: int) -> tuple[HistoryEntry, ...]:
    """Runs of the days before, the first of them green."""
    chance = random.Random(7)
    entries = []
    for number in range(count):
        time = at(-86_400 * (count - number) - 1020 * number)
        verdict = (Status.PASS, Status.PASS, Status.FAIL, Status.PASS, Status.INCONCLUSIVE)[number % 5]
        found = {"low": max(9 - number // 2, 1)}
        stages = tuple(
            PastStage(
                name=name,
                status=verdict,
                duration_s=round(seconds * chance.uniform(0.8, 1.3), 2),
                findings=found if name == "scan" else {},
                prints=(),
            )
            for name, seconds in _SECONDS.items()
        )
        entries.append(
            HistoryEntry(
                run=f"run-{number}",
                started=time,
                finished=time,
                commit=f"{chance.getrandbits(160):040x}",
                branch="main",
                dirty=False,
                snapshot="5" * 64,
                policy="6" * 64,
                verdict=verdict,
                stages=stages,
                score=round(9.4 + 0.05 * number, 2),
                coverage=round(94 + chance.uniform(0, 3.5), 2),
            )
        )
    return tuple(entries)


def canary_details(factor: float = 1.0) -> tuple[dict[str, Any], tuple[Check, ...]]:
    """What a canary of two endpoints told, and its checks; the candidate's latencies are multiplied."""
    seen = sides(factor)
    checks = compare(seen["release"], seen["candidate"], Comparison())
    return details_of(seen, checks), checks


def sides(factor: float = 1.0) -> Mapping[str, Side]:
    """The samples of such a canary."""
    chance = random.Random(11)

    def one(center: float, times: float, errors: int) -> Observed:
        latencies = tuple(chance.lognormvariate(center, 0.25) * times for _ in range(200))
        return Observed(latencies_ms=latencies, errors=errors)

    return {
        "candidate": {"GET /": one(1.0, factor, 0), "POST /echo/hello?lang=en": one(1.3, factor, 1)},
        "release": {"GET /": one(1.0, 1, 0), "POST /echo/hello?lang=en": one(1.3, 1, 0)},
    }


def image_details() -> dict[str, Any]:
    """What a build told of its image."""
    start = ["python3", "-m", "gunicorn", "--config", "service/gunicorn.conf.py", "service.app:app"]
    image = Image(
        id=f"sha256:{sha256('image')}",
        size_bytes=41_700_000,
        layers=(
            Layer(created_by="locked Debian trixie, minimal runtime", size_bytes=33_900_000),
            Layer(created_by="/bin/sh -c #(nop) COPY --from=builder /opt/venv /opt/venv", size_bytes=7_700_000),
            Layer(created_by="COPY service /app/service", size_bytes=102_400),
        ),
        user="65532:65532",
        labels={},
        architecture="amd64",
        configuration={
            "Entrypoint": None,
            "Cmd": start,
            "Healthcheck": {"Test": ["CMD", "python3", "-m", "service.healthcheck"]},
            "ExposedPorts": {"5000/tcp": {}},
        },
        diff_ids=("sha256:" + "a" * 64, "sha256:" + "b" * 64, "sha256:" + "c" * 64),
    )
    return described(
        image,
        tag="echo-service:10470606d3ad",
        base="locked Debian trixie",
        base_lock=sha256("lock"),
        debian_packages=18,
        python_packages=9,
    )


def component(name: str, version: str, kind: ComponentKind = ComponentKind.PYTHON) -> Component:
    """A package."""
    return Component(kind=kind, name=name, version=version, licences=("BSD-3-Clause",) if name == "flask" else ())


def sha256(word: str) -> str:
    """A digest; written out, it would look like a credential."""
    return hashlib.sha256(word.encode()).hexdigest()


def at(seconds: float) -> str:
    """The time so long after the run began."""
    return (BEGUN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _artifacts(name: str, tools: Iterable[Tool]) -> Iterable[Artifact]:
    for tool in tools:
        for end in ("json", "log"):
            yield Artifact(path=f"stages/{name}/raw/{tool.name}.{end}", sha256=sha256(f"{name}{tool.name}{end}"))
