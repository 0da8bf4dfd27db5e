"""``waivers.toml``: what is not a whole and correct waiver is refused with its line; what is written is correct."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.waiver import JUSTIFICATIONS, Waiver
from pipeline.core.waiver_file import FIRST_LINE, MANDATORY, Rules, appended, faults_in, parse_waivers, render_entry
from pipeline.errors import ConfigurationError

TODAY = date(2026, 6, 15)
RULES = Rules(today=TODAY, max_days=180, tools=frozenset({"bandit", "pip-audit"}))
GOOD = {
    "id": '"B101"',
    "tool": '"bandit"',
    "scope": '"tests/**"',
    "reason": '"Asserts are how these tests speak."',
    "owner": '"Platform team <platform@example.org>"',
    "created": "2026-06-01",
    "expires": "2026-09-01",
}
LINE_OF = {name: number for number, name in enumerate(GOOD, 4)}


def text_with(**changes: str | None) -> str:
    """One entry, its header in line 3, with values changed, added, or (None) left out."""
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return "# ours\n\n[[waiver]]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def refusal(text: str, rules: Rules = RULES) -> str:
    """What is said when this text is refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_waivers(text, rules)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_correct_entry_is_a_waiver_that_knows_its_lines() -> None:
    waivers = parse_waivers(text_with(until_fixed="true", justification='"component_not_present"'), RULES)
    assert waivers[0] == Waiver(
        id="B101", tool="bandit", scope="tests/**", reason="Asserts are how these tests speak.",
        owner="Platform team <platform@example.org>",
        created=date(2026, 6, 1), expires=date(2026, 9, 1), until_fixed=True,
        justification="component_not_present", line=3, last_line=12,
    )  # fmt: skip
    assert [waiver.place for waiver in waivers] == ["lines 3-12 of waivers.toml"]


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n"])
def test_a_file_without_an_entry_holds_no_waivers(text: str) -> None:
    assert not parse_waivers(text, RULES)


@pytest.mark.parametrize("name", MANDATORY)
def test_each_mandatory_key_is_demanded_at_the_line_of_its_entry(name: str) -> None:
    said = refusal(text_with(**{name: None}))
    assert f"waivers.toml:3: the waiver has no {name!r}" in said
    assert "waive" in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("id", '""', "must be text"),
        ("id", "3", "must be text in quotes, not 3"),
        ("id", '" B101"', "without space around it"),
        ("id", r'"B\u001b[2J"', "control characters"),
        ("tool", '"pip_audit"', "bandit, pip-audit; not 'pip_audit'"),
        ("tool", "true", "must be text"),
        ("scope", '"**"', "is everything"),
        ("scope", '"*"', "is everything"),
        ("scope", '"/etc/passwd"', "relative to the root"),
        ("scope", '"../other/a.py"', "relative to the root"),
        ("scope", '"./a.py"', "plain spelling"),
        ("scope", '"tests/"', "plain spelling"),
        ("scope", '"a//b"', "plain spelling"),
        ("scope", r'"tests\\a.py"', "plain spelling"),
        ("reason", '"because"', "real sentence"),
        ("reason", '"Because we said so"', "with a full stop"),
        ("reason", '"no no no no no."', "4 different words"),
        ("reason", '"TODO: find a good reason later."', "real sentence"),
        ("reason", r'"Asserts are how\u0007 tests speak."', "real sentence"),
        ("owner", '"   "', "must be text"),
        ("created", '"2026-06-01"', "a date without quotes, like 2026-06-15"),
        ("created", "2026-06-01T10:00:00Z", "a date without quotes"),
        ("created", "2026-06-17", "future"),
        ("expires", "2026-05-31", "before created"),
        ("expires", "2026-11-29", "181 days after created; waiver_max_days is 180, which is 2026-11-28 at the latest"),
        ("expires", "9999-12-31", "waiver_max_days is 180"),
        ("expires", "1", "a date without quotes"),
    ],
)
def test_a_wrong_value_is_refused_at_its_line(name: str, value: str, said: str) -> None:
    told = refusal(text_with(**{name: value}))
    assert f"waivers.toml:{LINE_OF[name]}: {name} " in told
    assert said in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("until_fixed", '"yes"', "true or false"),
        ("until_fixed", "1", "true or false"),
        ("justification", '"we_hope"', "vulnerable_code_not_present"),
        ("severity", '"low"', "is no key of a waiver; known are id, tool"),
        ("'odd key'", "1", "is no key of a waiver"),
    ],
)
def test_a_further_key_is_refused_at_its_line_unless_it_is_known_and_right(name: str, value: str, said: str) -> None:
    told = refusal(text_with(**{name: value}))
    assert f"waivers.toml:11: {name.strip(chr(39))} " in told
    assert said in told


def test_a_table_inside_of_a_waiver_is_refused_at_its_line() -> None:
    assert "waivers.toml:12: more is no key" in refusal(text_with() + "\n[waiver.more]\nx = 1\n")


@pytest.mark.parametrize("justification", JUSTIFICATIONS)
def test_each_of_openvex_s_justifications_is_known(justification: str) -> None:
    assert parse_waivers(text_with(justification=f'"{justification}"'), RULES)[0].justification == justification


def test_the_day_in_another_time_zone_is_no_future() -> None:
    assert parse_waivers(text_with(created="2026-06-16"), RULES)


def test_the_last_day_possible_is_possible_and_the_limit_can_be_lower() -> None:
    assert parse_waivers(text_with(expires="2026-11-28"), RULES)
    assert "waiver_max_days is 30" in refusal(text_with(), Rules(today=TODAY, max_days=30))


def test_without_a_list_of_tools_any_tool_may_be_named() -> None:
    assert parse_waivers(text_with(tool='"spdx"'), Rules(today=TODAY, max_days=180))


def test_all_faults_are_named_at_once() -> None:
    said = refusal(text_with(id="3", owner=None) + text_with(scope='"**"').removeprefix("# ours\n"))
    assert [part.split(": ")[0] for part in said.split("waivers.toml:")[1:]] == ["3", "4", "14"]


def test_a_waiver_that_is_there_already_is_refused() -> None:
    assert "waivers.toml:13: this is the waiver of line 3 once more" in refusal(text_with() + text_with())
    assert len(parse_waivers(text_with() + text_with(scope='"docs/**"'), RULES)) == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nwaiver = 3\n", 1),
        ("\n[[waivers]]\nid = 1\n", 2),
        ("\n\n[settings]\nx = 1\n", 3),
        ("# c\nwaiver = 3\n", 2),
        ("waiver = [{ id = 1 }]\n", 1),
        ("waiver = []\n", None),
        ("[waiver]\nid = 1\n", 1),
    ],
)
def test_anything_but_waivers_is_refused_at_its_line(text: str, line: int | None) -> None:
    if line is None:
        assert not parse_waivers(text, RULES)
    else:
        assert f"waivers.toml:{line}: " in refusal(text)


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb ==\n", 2), ("x = [\n", 2), ('x = "\n"', 1), ("[[waiver]]\nid = 1\nid = 2\n", 3)]
)
def test_what_is_no_toml_is_refused_at_its_line(text: str, line: int) -> None:
    said = refusal(text)
    assert f"waivers.toml:{line}: this can't be read as TOML" in said


def test_nesting_without_end_is_refused() -> None:
    assert "can't be read as TOML" in refusal("x = " + "[" * 5000)


def test_lines_that_only_look_like_headers_and_keys_mislead_nobody() -> None:
    lines = ['"""', "[[waiver]]", "owner = 3", 'scope = "x"', 'Asserts are how tests speak."""']
    text = text_with(reason="\n".join(lines), owner="3") + text_with(id="4").removeprefix("# ours\n\n")
    said = refusal(text)
    assert "waivers.toml:12: owner must be text" in said
    assert "waivers.toml:16: id must be text" in said


def test_a_sentence_over_several_lines_is_one_sentence() -> None:
    text = text_with(reason='"""\n  Asserts are how\n  these tests speak.\n"""')
    assert parse_waivers(text, RULES)[0].reason == "Asserts are how these tests speak."


def test_a_comment_behind_an_entry_is_not_one_of_its_lines() -> None:
    assert parse_waivers(text_with() + "\n# the next one is Ann's\n", RULES)[0].last_line == 10


def test_quoted_and_spaced_headers_are_headers() -> None:
    text = text_with().replace("[[waiver]]", '  [[ "waiver" ]] # ours')
    assert parse_waivers(text, RULES)[0].line == 3


PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
WAIVERS = st.builds(
    Waiver,
    id=PRINTABLE,
    tool=PRINTABLE,
    scope=st.sampled_from(["tests/**", "flask", "a b/ü🐍.py", "we'ird\"/x.py", "#x/y"]),
    reason=PRINTABLE.map(lambda word: f'It is {word} "here" and so on.'),
    owner=PRINTABLE,
    created=st.just(TODAY),
    expires=st.integers(0, 180).map(lambda days: TODAY + timedelta(days=days)),
    until_fixed=st.booleans(),
    justification=st.sampled_from(["", *JUSTIFICATIONS]),
)
ANY = Rules(today=TODAY, max_days=180)


@given(WAIVERS)
def test_what_is_written_is_what_is_read(waiver: Waiver) -> None:
    values = tomllib.loads(render_entry(waiver))["waiver"][0]
    if faults_in(values, ANY):
        # A word that makes the sentence no real one ("todo").
        return
    assert [back.demand() for back in parse_waivers(appended("", waiver), ANY)] == [waiver.demand()]
    assert appended("", waiver).startswith(FIRST_LINE)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_an_entry_is_added_and_everything_else_stays_byte_for_byte(end: str, last: bool) -> None:
    before = text_with().replace("\n", end) + ("" if last else "# no line end")
    before = before.removesuffix(end) if last else before
    added = replace(parse_waivers(before, RULES)[0], scope="docs/**")
    after = appended(before, added)
    assert after.startswith(before)
    assert ("\r\n" in after) == (end == "\r\n")
    assert after.replace("\r\n", "\n").count("\n") == after.count(end)
    assert [waiver.scope for waiver in parse_waivers(after, RULES)] == ["tests/**", "docs/**"]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.sampled_from(["[[waiver]]\n" * 3, "[[waiver]]\nid=''''"])
)
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        parse_waivers(text, RULES)
    except ConfigurationError as refused:
        assert "waivers.toml:" in str(refused)


def test_the_example_in_the_documentation_is_a_correct_waiver() -> None:
    text = (Path(__file__).parents[3] / "docs/waivers.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    assert [waiver.id for waiver in parse_waivers(example, RULES)] == ["CVE-2024-0001"]
