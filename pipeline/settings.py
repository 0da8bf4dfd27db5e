"""The keys of ``[tool.pipeline]``: their types, defaults and bounds. Reading them is :mod:`pipeline.settings_loading`.

One frozen dataclass a table. A key's ``help`` is what ``pipeline config`` and the README show; its limits are those of
:mod:`pipeline.settings_keys`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.expectations import Expectations
from pipeline.core.finding import Confidence, Severity
from pipeline.settings_build import ImageMaking
from pipeline.settings_cache import Cache
from pipeline.settings_keys import PYTHON, Maxima, expected_none, key, most
from pipeline.settings_push import Push
from pipeline.settings_run import Running
from pipeline.settings_smoke import SmokeDose

STAGE_NAMES = ("lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push")
"""The nine stages, in the order in which they run (a contract)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A path (or folder) that a stage need not look at, and why; each is listed in the report's ``not_checked``."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The keys of ``[tool.pipeline]`` itself."""

    name: str = key("", "the image's and the report's name; default: project.name")
    version: str = key("", "the version that push tags; default: project.version")
    service: str = key("service", "the folder that holds the service and its requirements", path=True)
    sources: tuple[str, ...] = key(
        (), "files and folders whose Python code is checked; default: the service folder", path=True
    )
    python: str = key(
        "",
        "the Python that checks run on, like 3.13; default: the image's, where the host has it",
        pattern=PYTHON,
        like="3.13",
    )
    required: tuple[str, ...] = key(STAGE_NAMES, "the stages that the verdict needs")
    suppressions_need_reasons: bool = key(
        True, "whether each comment that silences a tool, and each skip, must give its reason"
    )
    against: str = key(
        "", "the earlier revision that findings, score, coverage and policy are compared with, outside of pull requests"
    )
    waiver_max_days: int = key(180, "the most days that a waiver may last", low=1, high=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint(Maxima):
    """Style, errors and complexity."""

    paths: tuple[str, ...] = key((), "what to check; default: sources", path=True)
    exclude: tuple[Exclusion, ...] = key((), "what not to check, each with a reason")
    fail_on: Severity = key(Severity.MEDIUM, "findings of this severity or worse fail")
    score_floor: float | None = key(None, "the lowest pylint score that passes", low=0, high=10)
    score_tolerance: float = key(
        0.0, "how far the score may lie below that of the revision compared with", low=0, high=10
    )
    max_complexity: int = key(10, "the highest McCabe complexity of a function", low=1, high=1000)
    max_noqa: int | None = most("noqa comments")
    max_pylint_disables: int | None = most("pylint: disable comments")
    max_type_ignores: int | None = most("type: ignore comments")
    expect_nothing: str = expected_none("Python files")
    timeout_s: int = key(900, "seconds that a tool may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan(Maxima):
    """Static security scan."""

    paths: tuple[str, ...] = key((), "what to check; default: sources", path=True)
    exclude: tuple[Exclusion, ...] = key((), "what not to check, each with a reason")
    fail_on: Severity = key(Severity.MEDIUM, "findings of this severity or worse fail")
    confidence: Confidence = key(Confidence.LOW, "findings of less confidence are shown and do not fail")
    max_nosec: int | None = most("nosec comments")
    expect_nothing: str = expected_none("Python files")
    timeout_s: int = key(600, "seconds that the tool may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Credentials in the tree."""

    exclude: tuple[Exclusion, ...] = key((), "what not to check, each with a reason")
    max_allowlisted: int | None = most("comments that allow a secret")
    expect_nothing: str = expected_none("files")
    timeout_s: int = key(600, "seconds that the tool may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Maxima):
    """Known vulnerabilities in the locked dependencies."""

    lock: str = key("", "the hashed lock file; default: requirements.txt in the service folder", path=True)
    requirements: str = key(
        "", "what the lock must satisfy; default: requirements.in beside the lock, if it is there", path=True
    )
    advisories: str = key("", "an OSV export zip, for audits without the network")
    kev: str = key("", "CISA's catalogue of exploited vulnerabilities (JSON), whose entries are marked in the report")
    epss: str = key("", "FIRST's EPSS scores (CSV, also packed by gzip), which are shown in the report")
    max_age_days: int = key(7, "the age in days up to which an offline advisory snapshot is believed", low=0)
    fail_on: Severity = key(
        Severity.MEDIUM, "vulnerabilities of this severity or worse fail; an unrated one always does"
    )
    expect_nothing: str = expected_none("locked packages")
    timeout_s: int = key(600, "seconds that the tool may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Unit, integration, regression, acceptance and in-process smoke tests."""

    __test__ = False  # for pytest, which would take this for tests

    paths: tuple[str, ...] = key((), "where the tests are; default: tests in the service folder", path=True)
    markers: str = key(
        "not system and not preflight and not canary", "which tests run in process (a pytest -m expression)"
    )
    requirements: tuple[str, ...] = key(
        (),
        "hashed locks of what the tests need; default: the audited lock and requirements-test.txt beside it",
        path=True,
    )
    coverage: tuple[str, ...] = key((), "folders whose coverage is measured; default: the service folder", path=True)
    exclude: tuple[Exclusion, ...] = key((), "what coverage does not count, each with a reason")
    coverage_floor: float | None = key(None, "the lowest line coverage that passes, in percent", low=0, high=100)
    coverage_tolerance: float = key(
        0.0, "percentage points that coverage may lie below that of the revision compared with", low=0, high=100
    )
    minimum: int = key(1, "the fewest tests that must have run", low=1)
    max_flaky: int = key(0, "the most tests that pass only when they are run again", low=0)
    max_skips: int | None = most("places that skip a test")
    max_xfails: int | None = most("places that expect a test to fail")
    max_coverage_pragmas: int | None = most("coverage pragmas")
    expect_nothing: str = expected_none("test functions")
    environment: Mapping[str, str] = key({}, "environment of the tests, besides a short list of inherited variables")
    parallel: bool = key(False, "tests run in a process a core, by pytest-xdist of the test requirements")
    timeout_s: int = key(900, "seconds that the tests may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(ImageMaking):
    """The container image."""

    dockerfile: str = key("Dockerfile", "the recipe, relative to the root", path=True)
    image: str = key("", "the image's name; default: the project's name")
    base: str = key(
        "locked",
        "'locked': our own bases of locked Debian packages; 'dockerfile': those that the recipe names",
        one_of=("locked", "dockerfile"),
    )
    python: str = key("3.13", "the Python in the image, for which wheels are fetched", pattern=PYTHON, like="3.13")
    debian_mirror: str = key("", "the Debian archive's address; default: the one that the host's apt uses")
    fail_on: Severity = key(Severity.MEDIUM, "findings in the image of this severity or worse fail")
    licences: tuple[str, ...] = key(
        (), "the licences that packages in the image may have (SPDX); default: any, each shown"
    )
    licence_of: Mapping[str, str] = key(
        {}, "what somebody has read to be the licence of a package whose own records don't tell it (SPDX)"
    )
    debian_advisories: str = key("", "an OSV export zip of Debian, for known vulnerabilities of the image's packages")
    expect: Expectations = key(
        Expectations(), "what the image must be: user, files, commands and more (docs/image-checks.md)"
    )
    timeout_s: int = key(900, "seconds that the build may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke(SmokeDose):
    """The image, started hardened, answers and stops properly."""

    port: int = key(5000, "the port that the service listens on in its container", low=1, high=65535)
    ready_path: str = key("/readyz", "the path that answers 200 when the service is ready")
    ready_timeout_s: float = key(30.0, "seconds until it must be ready", low=0.1)
    stop_timeout_s: float = key(15.0, "seconds until it must have stopped after SIGTERM", low=0.1)
    paths: tuple[str, ...] = key((), "where the tests are that run against a container or a URL; default: test.paths")
    markers: str = key("smoke or system or preflight", "which tests run against the container (a pytest -m expression)")
    base_url_option: str = key("--base-url", "the option that gives the suite the container's address")
    environment: Mapping[str, str] = key({}, "environment of the container")
    random_keys: tuple[str, ...] = key((), "variables of the container that get a random value for the run")
    memory_mb: int = key(128, "memory limit in mebibytes", low=6)
    cpus: float = key(1.0, "how many processors it may use", low=0.01)
    pids: int = key(64, "limit of processes and threads", low=1)
    exclude: tuple[Exclusion, ...] = key((), "checks of the container that are left out, by name, each with a reason")
    timeout_s: int = key(300, "seconds that the tests may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The candidate beside the current release, or a live deployment."""

    paths: tuple[str, ...] = key(("/healthz",), "what is requested, in turn, as 'GET /path' or '/path'")
    requests: int = key(640, "requests to each side in a look at the data; there are three looks at most", low=50)
    rate: float = key(400.0, "requests a second to all sides together", low=1)
    max_error_rate: float = key(
        0.0, "share of failed requests that passes when there is no release to compare with", low=0, high=1
    )
    max_p95_ms: float = key(
        250.0, "95th percentile of latency that passes when there is no release to compare with", low=1
    )
    tolerance: float = key(0.1, "by what share the candidate may be slower than the release", low=0)
    slowdown_tolerance: float = key(0.2, "the slowdown, as a share, that a pass has excluded", low=0)
    error_tolerance: float = key(0.01, "the excess of errors, as a share, that a pass has excluded", low=0, high=1)
    resource_tolerance: float = key(
        0.5, "by what share the candidate may use more processor time or memory than the release", low=0
    )
    answers: str = key(
        "values",
        "what of the answers must be the release's: 'values' (all that does not change by itself), 'schema', 'off'",
        one_of=("values", "schema", "off"),
    )
    markers: str = key("canary", "which tests run against a live deployment (a pytest -m expression)")
    timeout_s: int = key(300, "seconds that it all may take", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The container engine."""

    provision: str = key("never", "whether a missing engine may be installed and started", one_of=("never", "auto"))
    host: str = key("", "the engine's address; default: DOCKER_HOST, the Docker context, the standard sockets")
    timeout_s: int = key(120, "seconds that the engine may stay silent", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """What a run leaves."""

    folder: str = key("reports", "where the reports go, relative to the root", path=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every effective value. ``sources`` says for each dotted key where its value comes from."""

    project: Project = Project()
    lint: Lint = Lint()
    scan: Scan = Scan()
    secrets: Secrets = Secrets()
    audit: Audit = Audit()
    test: Test = Test()
    build: Build = Build()
    smoke: Smoke = Smoke()
    canary: Canary = Canary()
    push: Push = Push()
    engine: Engine = Engine()
    reports: Reports = Reports()
    cache: Cache = Cache()
    run: Running = Running()
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


SECTIONS = (*STAGE_NAMES, "engine", "reports", "cache", "run")
"""The sub-tables of ``[tool.pipeline]``."""

POLICY_FREE = ("engine", "reports", "cache", "run")
"""Sections that decide how a run is carried out, not what it demands; they are not part of the policy's digest."""
