"""What is derived again tells a change that no digest tells, and what can't be told is left open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.stage import Artifact, Status
from pipeline.core.verification import Answer, standing
from pipeline.execution.report_folder import read_folder
from pipeline.recorded_policy import digest_of
from pipeline.verification import BESIDE, verify
from tests.finished_containers import COMPARISON, CONTAINERS
from tests.finished_reports import MIXED, coverage_report, finished, witness_record
from tests.forged import Forgery, another, gates_met, lower, waived, without_findings

TODAY = date(2026, 1, 1)
Change = Callable[[Forgery], None]


@pytest.fixture(name="originals", scope="module")
def originals_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports that every test copies."""
    folder = tmp_path_factory.mktemp("originals")
    runs = {"mixed": MIXED, "containers": CONTAINERS, "comparison": COMPARISON}
    return {name: finished(folder / name, stages) for name, stages in runs.items()}


@pytest.fixture(name="forgery")
def forgery_fixture(originals: dict[str, Path], tmp_path: Path) -> Callable[[str], Forgery]:
    """A copy of one of them, to be forged."""

    def copy(name: str) -> Forgery:
        shutil.copytree(originals[name], tmp_path / name)
        return Forgery(tmp_path / name)

    return copy


def against(reports: Path) -> str:
    """Everything that speaks against a report."""
    found = verify(read_folder(reports, BESIDE), TODAY)
    return " ".join(s.text for s in found.statements if s.answer is Answer.CONTRADICTED)


def looser_policy(forgery: Forgery) -> None:
    """A policy with another floor, its digest everywhere."""
    policy = another(forgery.record, **{"test.coverage_floor": 99.0})
    digest = digest_of(policy)
    forgery.about(policy=policy, policy_digest=digest)
    for name in forgery.results:
        forgery.result(name, policy=digest)


def fewer_required(forgery: Forgery) -> None:
    """A verdict that needs less."""
    forgery.about(required=("test", "own"))


def another_image(forgery: Forgery) -> None:
    """The canary about another image."""
    forgery.metrics("canary", image_id=f"sha256:{'2' * 64}")


def doubt_dropped(forgery: Forgery) -> None:
    """A file that the scanner could not read."""
    forgery.raw_json("secrets", "secrets.json", lambda d: d["errors"].append({"path": "x", "reason": "denied"}))


def slow_samples(forgery: Forgery) -> None:
    """Every answer slow."""
    forgery.raw_json("canary", "samples.json", lambda d: [row.__setitem__(3, 900.0) for row in d["rows"]] and None)


def fewer_samples(forgery: Forgery) -> None:
    """A sample less."""
    forgery.raw_json("canary", "samples.json", lambda d: d["rows"].pop() and None)


def unplanned_sample(forgery: Forgery) -> None:
    """A sample twice."""
    forgery.raw_json("canary", "samples.json", lambda d: d["rows"].append(d["rows"][-1]))


def many_requests(forgery: Forgery) -> None:
    """A policy under which planning would take for ever."""
    policy = another(forgery.record, **{"canary.requests": 10**9})
    forgery.about(policy=policy, policy_digest=digest_of(policy))
    forgery.result("canary", policy=digest_of(policy))


def loosened(forgery: Forgery) -> None:
    """A container with all rights."""
    forgery.raw_json("smoke", "container.json", lambda d: d["HostConfig"].update(Privileged=True))


def root_user(forgery: Forgery) -> None:
    """An image that runs as root."""
    forgery.raw_json("build", "image.json", lambda d: d.update(user="0"))


def no_checks(forgery: Forgery) -> None:
    """An image at which no check has looked."""
    forgery.raw_json("build", "image-checks.json", lambda d: d.update(checked=[]))


def another_package(forgery: Forgery) -> None:
    """An image with another package."""
    forgery.raw_json("build", "packages.json", lambda d: d.update(debian=[{"name": "bash", "version": "5"}]))


def killed(forgery: Forgery) -> None:
    """A container that had to be killed."""
    forgery.raw_json("smoke", "container-end.json", lambda d: d.update(ExitCode=137))


def failing_test(stage: str, name: str) -> Change:
    """A record in which the tests failed."""
    return lambda forgery: forgery.raw(stage, name, lambda _: witness_record(1, "failed"))


MIXED_CHANGES: dict[str, tuple[Change, str]] = {
    "a status made green": (lambda f: f.result("lint", status=Status.PASS), "its own evidence and gates make it fail"),
    "a status made worse": (lambda f: f.result("own", status=Status.FAIL, reasons=("x",)), "make it pass"),
    "a reason changed": (lambda f: f.result("half", reasons=("All is well.",)), "reasons of half"),
    "gates made green": (lambda f: gates_met(f, "scan"), "the gate says 1, and 1 of its findings count"),
    "lint's findings dropped": (lambda f: without_findings(f, "lint"), "hold a finding that the result does not"),
    "scan's findings dropped": (lambda f: without_findings(f, "scan"), "B602 pkg/insecure.py 4"),
    "secrets dropped": (lambda f: without_findings(f, "secrets"), "hold a finding that the result does not"),
    "a vulnerability dropped": (lambda f: without_findings(f, "audit"), "PYSEC-2021-66"),
    "findings made harmless": (lambda f: lower(f, "scan"), "the result tells a finding that they do not hold"),
    "findings waived by nobody": (lambda f: waived(f, "scan"), "no waiver of the report hides it"),
    "the score raised": (lambda f: f.metrics("lint", score=10.0), "its score is said to be 10.0"),
    "a file made checked": (
        lambda f: f.raw("lint", "pylint-walked.txt", lambda text: text.replace("clean.py\n", "")),
        "1 Python files are said to have been checked and were not, clean.py",
    ),
    "ruff's findings dropped": (
        lambda f: f.raw_json("lint", "ruff.json", lambda d: []), "the result tells a finding that they do not hold",
    ),
    "a doubt of the scanner hidden": (doubt_dropped, "it hides a doubt"),
    "the planted package not caught": (
        lambda f: f.raw("audit", "pip-audit-control.json", lambda _: '{"dependencies": []}'),
        "did not catch the planted",
    ),
    "coverage lower than told": (
        lambda f: f.raw("test", "coverage.json", lambda _: coverage_report(3)), "line coverage found 30.00 %",
    ),
    "a test that failed": (failing_test("test", "junit-record.jsonl"), "hold a finding that the result does not"),
    "a test that never ran": (
        lambda f: f.raw("test", "junit-record.jsonl", lambda text: "\n".join(text.splitlines()[1:])), "test_one",
    ),
    "a record that is none": (lambda f: f.raw("test", "junit-record.jsonl", lambda _: "[]"), "could not be read again"),
    "fewer required stages": (fewer_required, "The policy requires"),
    "a threshold of the policy": (looser_policy, "line coverage allowed at least 99.00 %"),
    "a value of the policy": (lambda f: f.about(policy=another(f.record, name="x")), "digest of the policy"),
    "an impossible policy": (
        lambda f: f.about(policy={**f.record.policy, "lint.fail_on": "never"}), "digest of the policy",
    ),
    "another snapshot": (lambda f: f.result("own", snapshot="x"), "about another snapshot"),
    "another policy": (lambda f: f.result("own", policy="x"), "judged by another policy"),
    "a stage that did not run with findings": (
        lambda f: f.result("later", findings=f.results["scan"].findings), "shows what a run has left",
    ),
    "artifacts of somewhere else": (
        lambda f: f.result("own", artifacts=(Artifact(path="stages/lint/raw/ruff.json", sha256=""),)),
        "lies outside of",
    ),
    "an artifact twice": (lambda f: f.result("own", artifacts=f.results["own"].artifacts * 2), "more than once"),
}  # fmt: skip

CONTAINER_CHANGES: dict[str, tuple[Change, str]] = {
    "another image": (another_image, "canary passed the image sha256:2222"),
    "slow samples": (slow_samples, "p95 latency of GET /healthz found 900.00 ms"),
    "fewer samples": (fewer_samples, "said to have been checked and were not"),
    "a sample twice": (unplanned_sample, "was not planned by the policy, or is there twice"),
    "samples of another kind": (
        lambda f: f.raw("canary", "samples.json", lambda _: '{"columns": []}'), "is not the canary's",
    ),
    "other latencies in the chart": (lambda f: f.result("canary", details={}), "its details of the canary are not"),
    "a mode that there is none": (lambda f: f.metrics("canary", mode="lucky"), "has no mode"),
    "too many requests": (many_requests, "is not planned again"),
    "a privileged container": (loosened, "it hides a doubt: The engine did not apply a restriction (not privileged)"),
    "a container of another image": (
        lambda f: f.raw_json("smoke", "container.json", lambda d: d.update(Image="sha256:3")),
        "The container ran sha256:3",
    ),
    "a container that was killed": (killed, "end after SIGTERM found with exit code 137"),
    "errors in the log": (
        lambda f: f.raw("smoke", "container.log", lambda _: "Traceback (most recent call last)\n"), "log-traceback",
    ),
    "a failing test of the container": (failing_test("smoke", "tests-record.jsonl"), "test-failure"),
    "the end of the container lost": (
        lambda f: f.raw("smoke", "container-end.json", lambda _: "{}"), "could not be read again",
    ),
    "an image that runs as root": (root_user, "a finding that the result does not, CIS-DI-0001"),
    "checks of the image that did not take place": (no_checks, "parts of the image are said to have been checked"),
    "another package in the image": (another_package, "1 parts of the image are said to have been checked"),
    "a smaller image": (lambda f: f.metrics("build", size_bytes=1), "its size_bytes is said to be 1"),
    "another manifest": (lambda f: f.raw("push", "manifest.json", lambda text: text + " "), "the result names another"),
    "fewer bytes read back": (lambda f: f.metrics("push", bytes_read_back=1), "bytes_read_back"),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED_CHANGES)
def test_a_change_of_a_result_is_told_without_a_digest(name: str, forgery: Callable[[str], Forgery]) -> None:
    change, expected = MIXED_CHANGES[name]
    forged = forgery("mixed")
    change(forged)
    assert expected in against(forged.sealed())


@pytest.mark.parametrize("name", CONTAINER_CHANGES)
def test_a_change_of_a_container_stage_is_told_without_a_digest(name: str, forgery: Callable[[str], Forgery]) -> None:
    change, expected = CONTAINER_CHANGES[name]
    forged = forgery("containers")
    change(forged)
    assert expected in against(forged.sealed())


def test_a_comparison_is_judged_again(forgery: Callable[[str], Forgery]) -> None:
    forged = forgery("comparison")

    def slower(document: Any) -> None:
        for row in document["rows"]:
            row[3] *= 3 if row[0].startswith("candidate") else 1

    forged.raw_json("canary", "samples.json", slower)
    assert "latency of GET /healthz" in against(forged.sealed())


@pytest.mark.parametrize("name", ["mixed", "containers", "comparison"])
def test_a_report_that_was_only_sealed_again_is_not_contradicted(name: str, forgery: Callable[[str], Forgery]) -> None:
    assert against(forgery(name).sealed()) == ""


def test_a_forger_who_recomputes_everything_is_not_told(forgery: Callable[[str], Forgery]) -> None:
    # What only the checkout knows can be made up: this is what a signature is for, and what verify says of itself.
    forged = forgery("mixed")
    forged.evidence("own", expected=frozenset({"a.py"}), checked=frozenset({"a.py"}))
    forged.about(actor="somebody else")
    assert against(forged.sealed()) == ""


def test_outputs_that_can_not_be_read_again_do_not_contradict_what_is_not_green(
    forgery: Callable[[str], Forgery],
) -> None:
    forged = forgery("mixed")
    forged.raw("lint", "ruff.json", lambda _: "{")
    reports = forged.sealed()
    assert against(reports) == ""
    said = [s.text for s in verify(read_folder(reports), TODAY).statements if s.answer is Answer.OPEN]
    assert any(text.startswith("The raw outputs of lint could not be read again.") for text in said)


def test_masked_values_leave_open_what_they_hide(forgery: Callable[[str], Forgery]) -> None:
    forged = forgery("mixed")
    forged.about(policy=another(forged.record, name="[secret]"))
    reports = forged.sealed()
    assert against(reports) == ""
    assert any("A value of the policy is masked" in s.text for s in verify(read_folder(reports), TODAY).statements)


def test_a_policy_that_is_none_leaves_the_raw_outputs_unread(forgery: Callable[[str], Forgery]) -> None:
    forged = forgery("mixed")
    policy = another(forged.record, **{"lint.fail_on": "never"})
    forged.about(policy=policy, policy_digest=digest_of(policy))
    for name in forged.results:
        forged.result(name, policy=digest_of(policy))
    found = verify(read_folder(forged.sealed()), TODAY)
    assert any("The recorded policy's lint.fail_on should be one of" in s.text for s in found.statements)


def test_a_report_of_another_release_is_left_open_where_it_can_not_be_made_again(
    forgery: Callable[[str], Forgery],
) -> None:
    forged = forgery("mixed")
    forged.about(generator="proven-pipeline 99.0")
    reports = forged.sealed()
    (reports / "summary.md").write_text("# A summary of another release\n", encoding="utf-8")
    assert against(reports) == ""
    found = verify(read_folder(reports), TODAY)
    assert any("'proven-pipeline 99.0' and can't be made again" in s.text for s in found.statements)


def test_a_contradiction_makes_any_verdict_a_fail(forgery: Callable[[str], Forgery]) -> None:
    forged = forgery("containers")
    found = verify(read_folder(forged.sealed()), TODAY)
    assert (found.verdict, standing(found.statements, Status.PASS)) == (Status.PASS, Status.PASS)
    forged.metrics("build", size_bytes=1)
    found = verify(read_folder(forged.sealed()), TODAY)
    assert (found.verdict, standing(found.statements, Status.PASS)) == (Status.PASS, Status.FAIL)
