"""The key of a kept result: every input that a stage declares makes another one, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import result_inputs
from pipeline.core.waiver import Waiver
from pipeline.execution.processes import INHERITED
from pipeline.settings import POLICY_FREE, SECTIONS
from pipeline.settings_loading import dotted, policy
from pipeline.stages.context import packaged_lock
from pipeline.stages.inputs import OF_BUILDER, OF_TESTS
from tests.projects import SampleStage
from tests.unit.cache_kit import RECORD, STAGES, World, with_advisories

ALL = tuple(STAGES)
READS_PYTHON = ("lint", "scan", "secrets", "test", "smoke", "build", "push")
READS_ALL = ("secrets", "test", "smoke", "push")
TRANSPORT = {"XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC",
             "UV_CACHE_DIR", "PYENV_ROOT"}  # fmt: skip
WAIVER = Waiver(
    id="B101", tool="bandit", scope="**", reason="r", owner="o", created=date(2026, 1, 1), expires=date(2026, 9, 1),
    stages=("scan",),
)  # fmt: skip


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path) -> World:
    return World(tmp_path / "worlds")


def changed_by(world: World, other: World) -> set[str]:
    """The stages that have another key."""
    before, after = world.keys(), other.keys()
    return {name for name in ALL if before[name] != after[name]}


def test_the_same_is_the_same_wherever_it_lies(world: World) -> None:
    assert changed_by(world, replace(world)) == set()


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"service__app_dot_py": "APP = 2\n"}, READS_PYTHON),
        ({"service__app_dot_py": None, "service__other_dot_py": "APP = 1\n"}, READS_PYTHON),
        ({"service__new_dot_py": ""}, READS_PYTHON),
        ({"service__script": ""}, ("lint", "scan", "secrets", "test", "smoke", "build", "push")),
        ({"service__requirements_dot_txt": "# lock\n"}, ("lint", "audit", "build", *READS_ALL)),
        ({"service__requirements_dot_in": ""}, ("audit", "build", *READS_ALL)),
        ({"service__more_dot_in": "flask\n"}, ("audit", "build", *READS_ALL)),
        ({"setup_dot_cfg": "[pylint]\n"}, ("lint", *READS_ALL)),
        ({"pyproject_dot_toml": "[tool.ruff]\n"}, ("lint", "scan", "audit", *READS_ALL)),
        ({"deep__pylintrc": ""}, ("lint", "scan", *READS_ALL)),
        ({"docs__CODEOWNERS": "* @a\n"}, ("lint", "scan", "audit", *READS_ALL)),
        ({"finding-baseline_dot_json": "{}"}, ("lint", "scan", "audit", *READS_ALL)),
        ({"_dot_dockerignore": "!service\n"}, ("build", *READS_ALL)),
        ({"Dockerfile": "FROM y\n"}, ("lint", "scan", "build", *READS_ALL)),
        ({"docs__notes_dot_md": "Other.\n"}, READS_ALL),
        ({"docs__new_dot_md": ""}, READS_ALL),
        ({"images__new_dot_png": ""}, ("lint", *READS_ALL)),
    ],
)
def test_a_changed_file_is_missed_by_those_that_may_read_it(
    world: World, change: dict[str, str | None], missed: tuple[str, ...]
) -> None:
    assert changed_by(world, world.with_files(**change)) == set(missed)


def test_a_mode_and_a_link_s_target_count(world: World) -> None:
    assert changed_by(world, replace(world, executable=frozenset({"service/app.py"}))) == set(READS_PYTHON)
    linked = replace(world, links={"service/link.py": "app.py"})
    elsewhere = replace(world, links={"service/link.py": "tests/test_app.py"})
    assert changed_by(linked, elsewhere) == set(READS_PYTHON)


def test_what_a_link_leads_to_counts_and_outside_it_is_not_known(world: World) -> None:
    linked = replace(world, links={"package": "docs"})
    assert "lint" in changed_by(linked, linked.with_files(docs__notes_dot_md="Other.\n"))
    outside = replace(world, links={"package": "/etc"})
    assert outside.key("lint").startswith("The symbolic link package leads out of the checkout")
    assert len(outside.key("scan")) == 64


def _other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "other")
    if isinstance(value, dict):
        return {**value, "OTHER": "1"}
    return "other" if not value or isinstance(value, str) else type(value)("critical")


KEYS = [
    (section, item.name)
    for section in ("project", *(name for name in SECTIONS if name not in POLICY_FREE))
    for item in fields(getattr(World(Path()).settings, section))
    # The revision compared with counts by its commit, in the run's record.
    if item.name not in ("exclude", "against")
]


@pytest.mark.parametrize(("section", "name"), KEYS)
def test_a_setting_is_missed_exactly_by_those_that_declare_it(world: World, section: str, name: str) -> None:
    values = getattr(world.settings, section)
    changed = replace(values, **{name: _other(getattr(values, name))})
    other = replace(world, settings=replace(world.settings, **{section: changed}))
    key, found = dotted(section, name), changed_by(world, other)
    assert policy(other.settings)[key] != policy(world.settings)[key]
    if section != "project":
        # What decides of files, too, is missed by others besides: they have other files then.
        assert section in found, key
    expected = {
        stage for stage in ALL for wanted in STAGES[stage].inputs(world.context()).settings
        if key == wanted or key.startswith(f"{wanted}.")
    }  # fmt: skip
    assert expected <= found


def test_another_stage_s_settings_are_no_concern(world: World) -> None:
    lint = replace(world.settings.lint, score_floor=9.0)
    assert changed_by(world, replace(world, settings=replace(world.settings, lint=lint))) == {"lint"}


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_variable_is_missed_exactly_by_those_that_declare_it(world: World, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*INHERITED, "OTHER", "GITHUB_REPOSITORY", "DOCKER_HOST"]))
    stage = data.draw(st.sampled_from(ALL))
    other = replace(world, environ={name: data.draw(st.text("ab/", min_size=1, max_size=3))})
    inputs = STAGES[stage].inputs(world.context())
    declares = name in inputs.variables or (name == "DOCKER_HOST" and inputs.engine)
    if name not in ("PATH", "HOME", "PYENV_ROOT"):
        # Those three also say where a Python may lie.
        assert (world.key(stage) != other.key(stage)) is declares


def test_tests_declare_all_that_they_inherit_but_where_packages_come_from() -> None:
    others = set(INHERITED) - set(OF_TESTS) - TRANSPORT
    assert all(name.lower().endswith("_proxy") or name.startswith("PIP_") for name in others)


@pytest.mark.parametrize(
    ("name", "missed"), [("test.requirements", {"lint", "test", "smoke"}), ("audit.requirements", {"audit"})]
)
def test_who_chose_a_file_counts_since_only_what_is_chosen_must_be_there(
    world: World, name: str, missed: set[str]
) -> None:
    def by(source: str) -> World:
        return replace(world, settings=replace(world.settings, sources={**world.settings.sources, name: source}))

    assert changed_by(by("default"), by("pyproject.toml")) == missed
    assert changed_by(by("pyproject.toml"), by("PIPELINE_X")) == set()


@pytest.mark.parametrize("name", OF_BUILDER)
def test_who_builds_counts_for_the_statements_of_a_push(world: World, name: str) -> None:
    assert changed_by(world, replace(world, environ={name: "other"})) == {"push"}


def test_the_lock_of_the_tools_counts(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = world.keys()
    for lock in ("lint", "scan", "secrets", "audit", "test", "wheels"):
        other = tmp_path / f"{lock}.txt"
        other.write_text("newer\n", encoding="utf-8")
        monkeypatch.setattr(result_inputs, "packaged_lock", lambda n, o=other: o if n == o.stem else packaged_lock(n))
        after = world.keys()
        missed = {name for name in ALL if after[name] != before[name]}
        assert missed == {name for name in ALL if lock in STAGES[name].inputs(world.context()).locks}
        assert missed


@pytest.mark.parametrize(
    ("what", "missed"),
    [
        ("pythons", {"lint", "scan", "secrets", "audit", "test", "build", "smoke"}),
        ("machine", set(ALL)),
        ("package_digest", set(ALL)),
        ("distributions", set(ALL)),
    ],
)
def test_python_the_machine_and_our_own_code_count(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str, missed: set[str]
) -> None:
    before = world.keys()
    monkeypatch.setattr(result_inputs, what, lambda *_: "another")
    after = world.keys()
    assert {name for name in ALL if after[name] != before[name]} == missed


def test_the_running_python_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.keys()
    monkeypatch.setattr("sys.version_info", (3, 99, 0))
    after = world.keys()
    assert all(after[name] != before[name] for name in ALL)


def test_advisories_count_by_content(world: World, tmp_path: Path) -> None:
    export = tmp_path / "all.zip"
    export.write_bytes(b"1")
    one = with_advisories(world, export).key("audit")
    export.write_bytes(b"2")
    assert with_advisories(world, export).key("audit") != one
    export.unlink()
    assert "can't be read" in with_advisories(world, export).key("audit")


def test_upstream_results_count(world: World) -> None:
    for name, missed in (("build", {"smoke", "canary", "push"}), ("smoke", {"canary"}), ("lint", {"push"})):
        other = replace(world.results[name], metrics={"image_id": "sha256:2"})
        assert changed_by(world, replace(world, results={**world.results, name: other})) == missed
    cached = replace(world.results["lint"], cached=True, reused="2026", command="again")
    assert changed_by(world, replace(world, results={**world.results, "lint": cached})) == set()
    assert changed_by(world, replace(world, results={})) == {"smoke", "canary", "push"}


def test_the_release_and_the_commit_count(world: World) -> None:
    assert changed_by(world, replace(world, released="sha256:other")) == {"canary"}
    assert changed_by(world, replace(world, committed="2026-01-02T00:00:00Z")) == {"build"}
    assert changed_by(world, replace(world, commit="d" * 40)) == {"push"}


def test_a_waiver_counts_for_the_stages_of_its_tool_and_by_the_day(world: World) -> None:
    waived = world.waived(WAIVER)
    assert changed_by(world, waived) == {"scan"}
    on = {
        day: replace(waived, record=replace(waived.record, started=f"{day}T00:00:00Z")).key("scan")
        for day in ("2026-06-01", "2026-06-02", "2026-08-02", "2026-08-03", "2026-09-01", "2026-09-02", "2026-10-01")
    }
    keys = list(on.values())
    # In force, about to end (30 days), expired.
    assert [keys.index(key) for key in keys] == [0, 0, 2, 2, 2, 5, 5]
    assert changed_by(waived, world.waived(replace(WAIVER, reason="another"))) == {"scan"}
    assert changed_by(world, world.waived(replace(WAIVER, stages=()))) == set(ALL) - {"push"}


def test_the_revision_that_a_run_is_compared_with_counts(world: World) -> None:
    compared = {"lint", "scan", "secrets", "audit", "test"}
    assert changed_by(world, world.against("1")) == compared
    assert changed_by(world.against("1"), world.against("2")) == compared


def test_a_recipe_that_names_no_digest_is_not_kept(world: World) -> None:
    build = replace(world.settings.build, base="dockerfile")
    loose = replace(world, settings=replace(world.settings, build=build))
    assert loose.key("build") == "Dockerfile names 'x' without a digest, so it may be something else today."
    pinned = loose.with_files(Dockerfile=f"FROM x@sha256:{'0' * 64}\n")
    assert len(pinned.key("build")) == 64


def test_a_signed_push_is_done_each_time(world: World) -> None:
    push = replace(world.settings.push, registry="registry.example.org", key_file="key.pem")
    signed = replace(world, settings=replace(world.settings, push=push))
    assert signed.key("push").endswith("signed, and read back, each time.")
    unsigned = replace(world, settings=replace(world.settings, push=replace(push, sign="off")))
    assert len(unsigned.key("push")) == 64


def test_a_project_s_own_stage_counts_with_its_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stage: Any = SampleStage("spdx")
    monkeypatch.setattr(SampleStage, "inputs", lambda self, context: STAGES["scan"].inputs(context), raising=False)
    manifest, _ = result_inputs.manifest_of(stage, world.context(), RECORD, {})
    assert manifest is not None
    assert len(manifest.parts["code"]["the code of the stage"]) == 64
    monkeypatch.setattr(SampleStage, "__module__", "nowhere")
    manifest, _ = result_inputs.manifest_of(stage, world.context(), RECORD, {})
    assert manifest is not None
    assert manifest.parts["code"]["the code of the stage"] == "unknown"
    assert json.loads(manifest.text)["stage"] == "spdx"
