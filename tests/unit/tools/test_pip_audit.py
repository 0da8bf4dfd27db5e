"""pip-audit's command line and outputs. The fixtures are the real tool's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.lock import Pin, parse_lock
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import pip_audit

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "pip_audit"
LOCK, WRITTEN, CACHE = Path("lock.txt"), Path("out.json"), Path("cache")


def real(case: str) -> tuple[Outcome, str | None]:
    """What the real tool did in this case."""
    recorded = json.loads((FIXTURES / f"{case}.json").read_text(encoding="utf-8"))
    return outcome(recorded["exit_code"], stderr=recorded["stderr"]), recorded["output"]


def test_the_online_command_asks_for_json_over_the_hashed_lock_and_installs_nothing() -> None:
    argv = pip_audit.command("pip-audit", LOCK, WRITTEN, CACHE)
    assert {"--require-hashes", "--disable-pip", "--requirement=lock.txt", "--format=json", "--output=out.json"} <= {
        *argv
    }
    assert "--vulnerability-service=pypi" in argv
    assert not pip_audit.environment("")


def test_offline_the_endpoint_is_ours_and_no_proxy_stands_between() -> None:
    url = "http://127.0.0.1:1234/v1/query"
    argv = pip_audit.command("pip-audit", LOCK, WRITTEN, CACHE, url)
    assert {"--vulnerability-service=osv", f"--osv-url={url}"} <= {*argv}
    environment = pip_audit.environment(url)
    assert set(environment.values()) == {None}
    assert {"http_proxy", "HTTP_PROXY", "all_proxy"} <= set(environment)


def test_a_lock_of_pins_has_no_markers_and_is_a_lock_itself() -> None:
    pin = Pin(name="a", version="1.0", hashes=("sha256:" + "0" * 64,), line=7, marker="python_version < '3'")
    read = parse_lock(pip_audit.lock_text([pin]), "x")[0]
    assert (read.name, read.version, read.hashes, read.marker) == ("a", "1.0", pin.hashes, "")


def test_a_clean_run_shows_what_it_looked_up() -> None:
    output = pip_audit.parse(*real("clean"))
    assert output == pip_audit.Output(audited=frozenset({"six==1.17.0", "jinja2==3.1.6"}))


def test_a_vulnerability_is_read_with_its_names_and_fixes() -> None:
    output = pip_audit.parse(*real("vulnerable"))
    (found,) = output.found
    assert (found.unit, found.vulnerability.id) == ("jinja2==2.10", "PYSEC-2021-66")
    assert found.vulnerability.aliases == ("CVE-2020-28493", "GHSA-g3rq-g295-4j3m")
    assert found.vulnerability.fixed == ("2.11.3",)
    assert output.audited == {"six==1.17.0", "jinja2==2.10"}


@pytest.mark.parametrize("case", ["empty", "markers-false"])
def test_a_run_over_nothing_exits_0_and_has_looked_up_nothing(case: str) -> None:
    assert pip_audit.parse(*real(case)) == pip_audit.Output(audited=frozenset())


def test_a_skipped_package_was_not_looked_up_though_the_exit_code_is_0() -> None:
    output = pip_audit.parse(*real("skipped"))
    assert output.audited == frozenset()
    ((name, reason),) = output.skipped
    assert name == "no-such-package-of-anyone"
    assert "not found on PyPI" in reason


@pytest.mark.parametrize(("case", "said"), [("unpinned", "not pinned"), ("unreachable", "Max retries")])
def test_a_crash_has_the_exit_code_of_findings_and_is_trouble(case: str, said: str) -> None:
    with pytest.raises(ToolTrouble, match="left no result") as caught:
        pip_audit.parse(*real(case))
    assert said in caught.value.why
    assert "PIPELINE_AUDIT_ADVISORIES" in caught.value.advice


@pytest.mark.parametrize("code", [-9, 2, 130])
def test_an_exit_code_that_pip_audit_does_not_give_is_trouble_even_with_a_result(code: int) -> None:
    with pytest.raises(ToolTrouble, match=f"exit code {code}"):
        pip_audit.parse(outcome(code), real("clean")[1])


@pytest.mark.parametrize(
    "text",
    [
        '{"dependencies": [{"name": "six", "ver',
        "[]",
        "null",
        "{}",
        '{"dependencies": {}, "x": [1]}'.replace("{}", "7"),
        '{"dependencies": [{"name": "six"}]}',
        '{"dependencies": [{"name": "six", "version": "1.0"}]}',
        '{"dependencies": [{"name": "six", "version": "1.0", "vulns": [{"id": "X"}]}]}',
        '{"dependencies": ["six"]}',
        '{"dependencies": [{"name": 7, "version": "1.0", "vulns": []}]}',
    ],
)
def test_output_that_is_not_whole_proves_nothing(text: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        pip_audit.parse(outcome(0), text)


@pytest.mark.parametrize(("case", "code"), [("clean", 1), ("vulnerable", 0), ("empty", 1)])
def test_output_that_contradicts_the_exit_code_is_trouble(case: str, code: int) -> None:
    with pytest.raises(ToolTrouble, match="contradicts"):
        pip_audit.parse(outcome(code, stderr="odd"), real(case)[1])


def test_two_runs_add_up() -> None:
    both = pip_audit.parse(*real("clean")) | pip_audit.parse(*real("vulnerable"))
    assert both.audited == {"six==1.17.0", "jinja2==3.1.6", "jinja2==2.10"}
    assert len(both.found) == 1


def test_a_package_has_one_spelling() -> None:
    assert pip_audit.unit("Foo_Bar", "1.0-1") == pip_audit.unit("foo-bar", "1.0.post1") == "foo-bar==1.0.post1"


def test_the_planted_package_for_the_online_service_is_pinned_and_hashed() -> None:
    assert parse_lock(pip_audit.lock_text([pip_audit.CONTROL_PIN]), "control") == (pip_audit.CONTROL_PIN,)
