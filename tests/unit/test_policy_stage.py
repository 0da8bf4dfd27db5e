"""A change may not loosen its own gate: with a revision to compare with, what loosens fails unless it was approved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from tests.looking import carry_out, looking, stage
from tests.projects import SampleStage, git, make_project

TABLE = 'required = ["scan"]\n[tool.pipeline.lint]\nscore_floor = 9.0\n'
FILES = {"noxfile.py": "from pipeline import nox_sessions\nnox_sessions.register()\n", "service/app.py": "A = 1\n"}


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    """A project with a noxfile and a floor, committed."""
    return make_project(tmp_path / "project", TABLE, FILES)


def change(project: Path, old: str, new: str, name: str = "pyproject.toml") -> None:
    """Change a file."""
    text = (project / name).read_text(encoding="utf-8")
    assert old in text
    (project / name).write_text(text.replace(old, new), encoding="utf-8")


def commit(project: Path, message: str = "change") -> None:
    """Commit everything."""
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", message)


def policy(report: dict[str, Any]) -> dict[str, Any]:
    """The result of the comparison."""
    return stage(report, "policy")


def changes(report: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The changes in the report."""
    return [(item["effect"], item["sentence"], item["approved"]) for item in report["policy"]["changes"]]


def test_without_a_revision_there_is_nothing_of_this(project: Path) -> None:
    report = carry_out(project, looking())
    assert [item["name"] for item in report["stages"]] == ["scan"]
    assert report["required"] == ["scan"]
    assert report["policy"]["changes"] == []
    assert "Policy against" not in (project / "reports/summary.md").read_text(encoding="utf-8")


def test_an_equal_policy_passes_and_stands_first(project: Path) -> None:
    report = carry_out(project, looking(), against="HEAD")
    assert [item["name"] for item in report["stages"]] == ["policy", "scan"]
    assert report["required"] == ["policy", "scan"]
    assert policy(report)["status"] == "pass"
    assert policy(report)["evidence"]["control"]["caught"] is True
    assert policy(report)["evidence"]["checked"] == 2, "the settings and the noxfile"
    assert report["verdict"] == "pass"


def test_what_loosens_fails_whatever_the_stages_say(project: Path) -> None:
    change(project, "9.0", "8.0")
    report = carry_out(project, looking(), against="HEAD")
    assert changes(report) == [("loosens", "lint.score_floor was 9.0 and is 8.0.", False)]
    assert policy(report)["status"] == "fail"
    assert stage(report)["status"] == "pass"
    assert report["verdict"] == "fail"
    summary = (project / "reports/summary.md").read_text(encoding="utf-8")
    assert summary.index("### Policy against HEAD") < summary.index("| stage |")
    assert "loosens: lint\\.score\\_floor was 9\\.0 and is 8\\.0" in summary


def test_what_tightens_or_changes_nothing_passes_and_is_shown(project: Path) -> None:
    change(project, "score_floor = 9.0", "score_floor = 9.5\ntimeout_s = 60")
    report = carry_out(project, looking(), against="HEAD")
    assert changes(report) == [
        ("tightens", "lint.score_floor was 9.0 and is 9.5.", False),
        ("neutral", "lint.timeout_s was 900 and is 60.", False),
    ]
    assert report["verdict"] == "pass"
    assert policy(report)["reasons"][0] == "Tightens: lint.score_floor was 9.0 and is 9.5."


def test_ci_s_own_variable_approves_the_policy_that_it_names_and_no_other(project: Path) -> None:
    change(project, "9.0", "8.0")
    digest = carry_out(project, looking(), against="HEAD")["policy"]["approval"]
    assert f"PIPELINE_APPROVED_POLICY={digest}" in " ".join(
        policy(carry_out(project, looking(), against="HEAD"))["reasons"]
    )
    report = carry_out(project, looking(), against="HEAD", PIPELINE_APPROVED_POLICY=f"{'0' * 64}, {digest}")
    assert changes(report) == [("loosens", "lint.score_floor was 9.0 and is 8.0.", True)]
    assert report["verdict"] == "pass"
    assert policy(report)["reasons"] == ["Loosens, approved: lint.score_floor was 9.0 and is 8.0."]
    change(project, "8.0", "7.0")
    assert carry_out(project, looking(), against="HEAD", PIPELINE_APPROVED_POLICY=digest)["verdict"] == "fail"


def test_the_environment_is_no_change(project: Path) -> None:
    report = carry_out(project, looking(), against="HEAD", PIPELINE_LINT_SCORE_FLOOR="1")
    assert changes(report) == []


def test_files_govern_too(project: Path) -> None:
    (project / "noxfile.py").unlink()
    (project / "ruff.toml").write_text('[lint]\nignore = ["F401"]\n', encoding="utf-8")
    assert [sentence for _, sentence, _ in changes(carry_out(project, looking(), against="HEAD"))] == [
        "noxfile.py no longer has the pipeline's sessions (nox_sessions.register).",
        "ruff.toml: lint ignore gains F401.",
    ]


def test_what_lint_is_kept_from_on_both_sides_governs_nothing(project: Path) -> None:
    change(project, "score_floor", 'exclude = [{ path = "fixtures", reason = "Broken on purpose." }]\nscore_floor')
    commit(project)
    (project / "fixtures").mkdir()
    (project / "fixtures/ruff.toml").write_text('[lint]\nignore = ["F401"]\n', encoding="utf-8")
    assert changes(carry_out(project, looking(), against="HEAD")) == []


def test_a_revision_without_settings_had_nothing_to_loosen(project: Path) -> None:
    git(project, "checkout", "-q", "--orphan", "empty")
    git(project, "rm", "-q", "--cached", "-r", ".")
    git(project, "commit", "-q", "--allow-empty", "-m", "nothing")
    git(project, "checkout", "-q", "-f", "main")
    report = carry_out(project, looking(), against="empty")
    assert policy(report)["status"] == "pass"
    assert "has no settings of the pipeline" in policy(report)["reasons"][0]


@pytest.mark.parametrize(
    "text", ["= broken", "[tool.pipeline]\nrequierd = []\n", "[tool]\npipeline = 3\n", "tool = 3\n"]
)
def test_settings_of_the_revision_that_can_t_be_used_are_no_pass(project: Path, text: str) -> None:
    good = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    commit(project)
    (project / "pyproject.toml").write_text(good, encoding="utf-8")
    report = carry_out(project, looking(), against="HEAD")
    assert policy(report)["status"] == "inconclusive"
    assert "so what they asked is not known" in policy(report)["reasons"][0]
    assert report["verdict"] == "inconclusive"


def test_stages_of_a_noxfile_that_is_gone_are_known_by_the_old_settings(project: Path) -> None:
    change(project, '"scan"]', '"scan", "docs"]\n[tool.pipeline.spdx]\nleast = 3\n')
    commit(project)
    git(project, "checkout", "-q", "HEAD~1", "--", "pyproject.toml")
    assert changes(carry_out(project, looking(), against="HEAD")) == [
        ("loosens", "required no longer names docs.", False),
        ("loosens", "spdx.least was 3 and is not set, and which way that goes is not known.", False),
    ]


def pull_request(project: Path) -> dict[str, str]:
    """A branch off main, whose tip is fetched as origin/main; CI's variables."""
    git(project, "checkout", "-q", "-b", "change")
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    return {"GITHUB_BASE_REF": "main"}


def test_in_a_pull_request_the_merge_base_is_the_default(project: Path) -> None:
    environ = pull_request(project)
    change(project, "9.0", "8.0")
    commit(project)
    report = carry_out(project, looking(), **environ)
    assert report["policy"]["against"]["revision"] == "the merge base with origin/main"
    assert report["verdict"] == "fail"


def test_what_is_on_the_base_branch_already_is_approved(project: Path) -> None:
    environ = pull_request(project)
    change(project, "9.0", "8.0")
    (project / "noxfile.py").unlink()
    commit(project)
    git(project, "checkout", "-q", "main")
    change(project, "9.0", "8.0")
    commit(project, "the same on main")
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    git(project, "checkout", "-q", "change")
    assert [(sentence, approved) for _, sentence, approved in changes(carry_out(project, looking(), **environ))] == [
        ("lint.score_floor was 9.0 and is 8.0.", True),
        ("noxfile.py no longer has the pipeline's sessions (nox_sessions.register).", False),
    ]


def test_nothing_is_pushed_under_a_loosened_policy(project: Path) -> None:
    change(project, "9.0", "8.0")
    push = SampleStage("push", needs=("scan",))
    report = carry_out(project, looking(), push, against="HEAD")
    assert stage(report, "push")["status"] == "not-run"
    assert "push needs policy to pass, and policy is fail." in stage(report, "push")["reasons"][0]
    assert not push.calls


def test_the_name_is_kept(project: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be called 'policy'"):
        carry_out(project, SampleStage("policy"))


def test_the_policies_are_compared_once_in_a_run(project: Path) -> None:
    change(project, "9.0", "8.0")
    for _ in range(2):
        carry_out(project, looking(), against="HEAD", run_id="one")
        path = project / "reports/stages/policy/result.json"
        started = json.loads(path.read_text(encoding="utf-8"))["started"]
        again = carry_out(project, looking(), against="HEAD", run_id="one")
        assert policy(again)["started"] == started


def test_a_comparison_that_sees_nothing_is_no_proof(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.policy_stage.differences", lambda *given: ())
    report = carry_out(project, looking(), against="HEAD")
    assert policy(report)["status"] == "inconclusive"
    assert "did not catch the planted policy that requires no stage" in policy(report)["reasons"][0]


def test_a_secret_in_a_change_is_masked(project: Path) -> None:
    value = f"{id(project)}-must-not-be-seen"
    change(project, "score_floor = 9.0", f'score_floor = 9.0\n[tool.pipeline.push]\nregistry = "{value}"')
    carry_out(project, looking(), against="HEAD", REGISTRY_TOKEN=value)
    for path in (project / "reports").rglob("*"):
        assert not path.is_file() or value not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("max_age_days = 900", "cache.max_age_days was 30.0 and is 900.0."),
        ("max_age_hours = 900", "cache.max_age_hours was 24.0 and is 900.0."),
        ('fresh = "never"', 'cache.fresh was "auto" and is "never".'),
        ('write = "always"', 'cache.write was "auto" and is "always".'),
        ('dir = "kept"', 'cache.dir was "" and is "kept".'),
    ],
)
def test_to_believe_earlier_results_longer_loosens(project: Path, key: str, sentence: str) -> None:
    change(project, "[tool.pipeline.lint]", f"[tool.pipeline.cache]\n{key}\n[tool.pipeline.lint]")
    report = carry_out(project, looking(), against="HEAD")
    assert changes(report) == [("loosens", sentence, False)]
    assert report["verdict"] == "fail"
