"""The project's own tests against a running service, through the option of its suite that takes an address."""

from __future__ import annotations

from pipeline.core.evidence import Control
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.stages.context import Context
from pipeline.tools import pytest


def run_live_tests(context: Context, tools: ToolEnvironment, url: str) -> pytest.Output:
    """The tests that ``smoke.markers`` selects, against ``url``; their output is kept.

    Raises:
        ToolTrouble: pytest could not be used, or did not come to an end in time.
    """
    return _run(context, tools, url, context.settings.smoke.paths, ())


def silence_control(context: Context, tools: ToolEnvironment, ran: pytest.Output) -> Control:
    """The same suite against nobody, which it must notice; ``ran`` is what it did before."""
    with context.ports.wire.silence() as address:
        silent = notices_silence(context, tools, address, ran)
    return Control(tool="the suite", planted="service that does not answer", caught=silent)


def notices_silence(context: Context, tools: ToolEnvironment, url: str, ran: pytest.Output) -> bool:
    """Whether a test that ran before fails at an address where nobody listens: else it never asked the service.

    One file of those that ran is enough, and in it the first failure.
    """
    files = sorted({test.partition("::")[0] for test in ran.executed})
    return bool(files) and bool(_run(context, tools, url, tuple(files[:1]), ("--maxfail=1",)).findings)


def _run(
    context: Context, tools: ToolEnvironment, url: str, paths: tuple[str, ...], more: tuple[str, ...]
) -> pytest.Output:
    settings = context.settings.smoke
    record = pytest.plant_witness(context.scratch / ("live-control" if more else "live"))
    junit = record.parent / "junit.xml"
    outcome = context.run(
        Request(
            argv=pytest.command(
                str(tools.python),
                paths,
                rootdir=context.tree,
                markers=settings.markers,
                junit=junit,
                options=(settings.base_url_option, url, *more),
            ),
            cwd=context.tree,
            timeout_s=settings.timeout_s,
            env={**context.settings.test.environment, **pytest.environment(record)},
            title="testing the container",
        )
    )
    text = record.read_text(encoding="utf-8") if record.exists() else ""
    if not more:
        context.keep("tests.log", outcome.stdout + outcome.stderr)
        context.keep("tests-record.jsonl", text)
        if junit.exists():
            context.keep("junit.xml", junit.read_text(encoding="utf-8", errors="backslashreplace"))
    return pytest.parse(outcome, text, context.tree)
