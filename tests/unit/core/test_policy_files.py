"""The files that govern what is demanded: what a change of each takes away, and that nothing unreadable passes."""

from __future__ import annotations

import json

import pytest

from pipeline.core.policy_difference import Effect
from pipeline.core.policy_files import file_differences, governing, governs
from pipeline.core.tool_configuration import tables

WAIVER = """[[waiver]]
id = "B602"
tool = "bandit"
scope = "service/**"
expires = 2026-12-01
until_fixed = true
"""
NOXFILE = """import nox
from pipeline import nox_sessions
nox_sessions.register(extra=[Spdx(), Other()])

@nox.session
def first(session): ...

@nox.session(default=False)
def second(session): ...

def helper(): ...
"""


def effects(path: str, before: str, after: str) -> list[tuple[Effect, str]]:
    """What the change of one file comes to."""
    found = file_differences({path: before}, {path: after})
    return [(difference.effect, difference.sentence.removeprefix(path).strip(" :")) for difference in found]


def loosening(path: str, before: str, after: str) -> list[str]:
    """The sentences of what loosens."""
    return [sentence for effect, sentence in effects(path, before, after) if effect is Effect.LOOSENS]


@pytest.mark.parametrize(
    ("path", "does"),
    [
        ("waivers.toml", True), ("finding-baseline.json", True), ("noxfile.py", True), ("pyproject.toml", True),
        ("service/ruff.toml", True), (".pylintrc", True), (".github/workflows/ci.yml", True), (".gitlab-ci.yml", True),
        ("docs/waivers.toml", False), ("service/app.py", False), (".github/dependabot.yml", False),
    ],
)  # fmt: skip
def test_which_files_govern(path: str, does: bool) -> None:
    assert governs(path) is does


def test_equal_files_and_remarks_demand_the_same() -> None:
    assert not file_differences({"noxfile.py": NOXFILE}, {"noxfile.py": NOXFILE})
    assert effects("noxfile.py", NOXFILE, f"# A remark\n{NOXFILE}") == [
        (Effect.NEUTRAL, "has changed, and nothing that it demands.")
    ]


def test_a_new_waiver_loosens_and_its_end_tightens() -> None:
    assert effects("waivers.toml", "", WAIVER) == [(Effect.LOOSENS, "waives B602 of bandit in service/**.")]
    assert effects("waivers.toml", WAIVER, "") == [(Effect.TIGHTENS, "no longer waives B602 of bandit in service/**.")]


@pytest.mark.parametrize(
    ("old", "new", "loosens"),
    [
        ("2026-12-01", "2026-12-02", True), ("2026-12-01", "2026-11-30", False), ("until_fixed = true", "", True),
        ("bandit", "ruff", True), ("service/**", "**", True),
    ],
)  # fmt: skip
def test_a_waiver_that_hides_more_loosens(old: str, new: str, loosens: bool) -> None:
    assert bool(loosening("waivers.toml", WAIVER, WAIVER.replace(old, new))) is loosens


def baseline(*entries: tuple[str, int, str]) -> str:
    """A finding baseline with these rules, counts and lines."""
    return json.dumps({"findings": [
        {"stage": "lint", "tool": "ruff", "rule": rule, "line_hash": line, "count": count, "path": "a.py"}
        for rule, count, line in entries
    ]})  # fmt: skip


def test_a_grown_baseline_loosens_and_one_that_is_seen_anew_does_not() -> None:
    path = "finding-baseline.json"
    one = baseline(("F401", 1, "x"))
    assert loosening(path, "", one) == ["accepts 1 more of ruff F401 in lint."]
    assert loosening(path, one, baseline(("F401", 3, "x"), ("F811", 1, "y"))) == [
        "accepts 2 more of ruff F401 in lint.",
        "accepts 1 more of ruff F811 in lint.",
    ]
    assert loosening(path, one, baseline(("F401", 1, "other"))) == ["accepts 1 more of ruff F401 in lint."]
    assert not loosening(path, one, one.replace("a.py", "b.py"))
    assert not loosening(path, one, "")


def test_sessions_stages_and_the_registration_of_a_noxfile_are_missed() -> None:
    assert loosening("noxfile.py", NOXFILE, "") == [
        "no longer has the pipeline's sessions (nox_sessions.register).",
        "no longer has the session first.",
        "no longer has the session second.",
        "no longer has the stage Other().",
        "no longer has the stage Spdx().",
    ]
    assert loosening("noxfile.py", NOXFILE, NOXFILE.replace(", Other()", "")) == ["no longer has the stage Other()."]
    assert not loosening("noxfile.py", "", NOXFILE)
    assert loosening(
        "noxfile.py", NOXFILE.replace("[Spdx(), Other()]", "STAGES"), NOXFILE.replace("[Spdx(), Other()]", "()")
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("noxfile.py", "def broken("), ("waivers.toml", "[["), ("waivers.toml", "waiver = 3"),
        ("finding-baseline.json", "{"), ("finding-baseline.json", "[]"), ("ruff.toml", "= 1"),
        ("pyproject.toml", "= 1"), (".pylintrc", "no section"),
    ],
)  # fmt: skip
def test_what_can_t_be_read_is_no_pass(path: str, text: str) -> None:
    assert loosening(path, "", governing(path, text)) == [
        "has changed and can't be read, so what it asks is not known."
    ]


RUFF = '[tool.ruff]\nline-length = 100\n[tool.ruff.lint]\nselect = ["E", "F"]\nignore = ["E501"]\n'


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ('ignore = ["E501"]', 'ignore = ["E501", "F401"]', ["ruff lint ignore gains F401."]),
        ('["E", "F"]', '["E"]', ["ruff lint select loses F."]),
        ("100", "200", ["ruff line-length was 100 and is 200."]),
        ('ignore = ["E501"]', "ignore = []", []),
        ("100", "90", []),
        ('["E501"]', '["E501"]\n[tool.ruff.lint.per-file-ignores]\n"a.py" = ["F"]',
         ["ruff lint per-file-ignores a.py gains F."]),
        ('["E501"]', '["E501"]\n[tool.pylint.main]\ndisable = "all,E"\nfail-under = 3',
         ["pylint main disable gains E.", "pylint main disable gains all.",
          "pylint main fail-under was not set and is 3, and which way that goes is not known."]),
        ('["E501"]', '["E501"]\npreview = true', []),
        ("[tool.ruff]\n", '[tool.coverage.run]\nomit = ["a"]\n[tool.ruff]\n', ["coverage run omit gains a."]),
        ("[tool.ruff]\n", "[tool.ruff.lint.pylint]\nmax-args = 50\n[tool.ruff]\n",
         ["ruff lint pylint max-args was not set and is 50."]),
    ],
)  # fmt: skip
def test_the_tools_own_configuration_is_no_back_door(old: str, new: str, sentences: list[str]) -> None:
    changed = RUFF.replace(old, new)
    assert changed != RUFF
    assert loosening("pyproject.toml", tables(RUFF), tables(changed)) == sentences


def test_of_pyproject_only_the_tools_tables_govern() -> None:
    assert governing("pyproject.toml", '[project]\nname = "x"\n') == ""
    assert governing("pyproject.toml", RUFF) == governing("pyproject.toml", f'[project]\nname = "x"\n{RUFF}')
    assert governing("noxfile.py", NOXFILE) == NOXFILE


def test_ini_files_are_read_and_of_shared_ones_only_the_tools_sections() -> None:
    assert loosening(".pylintrc", "[MAIN]\ndisable=a\n", "[MAIN]\ndisable=a,\n  b\n") == ["MAIN disable gains b."]
    assert loosening(".coveragerc", "", "[run]\nomit = x\n") == ["run omit gains x."]
    assert not loosening("setup.cfg", "", "[options.packages.find]\nexclude = tests\n")
    assert loosening("setup.cfg", "", "[tool:pytest]\naddopts = --deselect a\n") == [
        "tool:pytest addopts gains --deselect a."
    ]
    assert loosening("ruff.toml", "", '[lint]\nignore = ["F"]\n') == ["lint ignore gains F."]
