"""What a stage is given, and the contract that every stage, ours or a third party's, fulfils."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pipeline.core.file_results import FileResults, NothingKept
from pipeline.core.masking import masked_output
from pipeline.core.ports import (
    Clock,
    Environments,
    Outcome,
    ProcessRunner,
    Progress,
    Redactor,
    Request,
    ToolEnvironment,
)
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult, Tool
from pipeline.errors import ToolTrouble

if TYPE_CHECKING:
    from pipeline.attestation.signing import Signing
    from pipeline.core.advisories import AdvisoryOpener
    from pipeline.core.bases import BaseImages
    from pipeline.core.containers import ContainerEngine, Ownership, Registries
    from pipeline.core.debian_advisories import DebianIndex
    from pipeline.core.releases import Releases
    from pipeline.core.traffic import TrafficSource
    from pipeline.core.wire import Wire
    from pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The effects that a stage may use, each behind its Protocol; engine and registries open when first asked for.

    ``last_change`` tells when the last commit that touched any of the paths was made (ISO 8601 in UTC), and nothing
    when the history does not say. ``ownership`` marks what a stage starts in an engine; ``cache`` is a folder that
    lasts and holds nothing that is not verified before each use.
    """

    processes: ProcessRunner
    environments: Environments
    clock: Clock
    progress: Progress
    redact: Redactor
    engine: Callable[[], ContainerEngine]
    registries: Callable[[], Registries]
    signing: Callable[[], Signing]
    advisories: AdvisoryOpener
    debian_advisories: Callable[[Path], DebianIndex]
    bases: BaseImages
    releases: Releases
    traffic: TrafficSource
    wire: Wire
    last_change: Callable[[Sequence[str]], str]
    ownership: Ownership
    cache: Path
    file_results: FileResults = field(default_factory=NothingKept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run of one stage.

    ``tree`` is the snapshot laid out as files: what a stage checks, and never the working tree. ``scratch`` is an
    empty folder of this run alone, so a file in it was written by this run. ``raw`` is where what should be kept goes,
    and ``keeper`` the only way there (see :meth:`keep`). ``state`` lasts from run to run. ``results`` are this
    snapshot's results of other stages; ``previous`` is this stage's last result that ran to its end, of whatever
    snapshot. ``arguments`` are what stands behind ``--`` on the command line.
    ``cores`` is how many of the machine's cores a tool that can use several may use, since others are at work beside
    it.
    """

    settings: Settings
    snapshot: Snapshot
    tree: Path
    scratch: Path
    raw: Path
    keeper: Callable[[str, str], Path]
    state: Path
    ports: Ports
    results: Mapping[str, StageResult]
    previous: StageResult | None = None
    arguments: tuple[str, ...] = ()
    cores: int = 1

    def keep(self, name: str, text: str) -> Path:
        """Keep a tool's own output under ``raw``, untouched but for masked secrets, as an artifact of the result."""
        return self.keeper(name, masked_output(text, self.ports.redact))

    def run(self, request: Request) -> Outcome:
        """Run a process; one that exceeds its time is trouble with the tool.

        Raises:
            ToolTrouble: it can't be started, or was stopped because its time was up.
        """
        outcome: Outcome = self.ports.processes.run(request)  # pylint: disable=assignment-from-no-return  # a Protocol's
        if outcome.timed_out:
            name = Path(request.argv[0]).name
            raise ToolTrouble(
                f"{name} was stopped after {request.timeout_s:.0f} seconds without an end.",
                advice="Raise the stage's timeout_s if it needs longer.",
            )
        return outcome

    def environment(self, name: str) -> ToolEnvironment:
        """The environment of the tools that this package pins for ``name`` (one of the files in ``pipeline/locks``)."""
        return self.ports.environments.ensure(name, (packaged_lock(name),))

    def with_tools(self, examination: Examination, tools: ToolEnvironment, *names: str) -> Examination:
        """The examination with the tools that took part, by the versions that their environment holds."""
        return replace(
            examination,
            tools=(*examination.tools, *(Tool(name=n, version=tools.packages.get(n, "unknown")) for n in names)),
        )


@runtime_checkable
class Revealing(Protocol):
    """A stage that knows what no report may show, of whichever stage; it is asked before the first one runs."""

    def reveal(self, context: Context) -> Iterable[str]:
        """The values to be masked. Raises CouldNotTell when they can't be known."""
        ...


def traits(stage: Stage, settings: Settings) -> dict[str, bool]:
    """What a stage's schedule must know: by the name of the field of :class:`pipeline.core.schedule.Task`."""
    # One that spreads in any project may say so by an attribute.
    found = getattr(stage, "spreads", False)
    return {
        "alone": getattr(stage, "alone", False),
        "waits": getattr(stage, "waits", False),
        "spreads": bool(found(settings) if callable(found) else found),
    }


def packaged_lock(name: str) -> Path:
    """The lock file of that name that this package brings."""
    return Path(__file__).parent.parent / "locks" / f"{name}.txt"


class Stage(Protocol):
    """A gate of the pipeline.

    ``run`` examines; what status follows from that is not the stage's to say (:func:`pipeline.core.verdict.conclude`).
    A stage that must have the machine for itself, since it measures time, has an attribute ``alone`` that is true; one
    that mostly waits for a container or a network has one called ``waits``. One whose tool can use several cores
    (:attr:`Context.cores`) has a method ``spreads(settings)`` that says whether it does.
    Trouble is raised: a ConfigurationError for what the user must mend (exit 2), a TargetFault for a certain fault of
    the target (``fail``), anything else of the error tree means that nothing can be said (``inconclusive``).
    """

    @property
    def name(self) -> str:
        """The stage's name: a lower-case word, unique in the pipeline."""
        ...

    @property
    def summary(self) -> str:
        """One line for people; the Nox session's help."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The stages that must be ``pass`` for the same snapshot before this one may run."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """The Nox tags of the session."""
        ...

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Find before anything runs what would make ``run`` impossible. Raises ConfigurationError."""
        ...

    def run(self, context: Context) -> Examination:
        """Examine the snapshot."""
        ...

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether what an earlier pass of this snapshot left (an image, say) is still there to be reused."""
        ...
