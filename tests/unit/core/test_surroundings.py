"""The lines around a finding are those of the file, cut, and without what looks like a credential."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.code_owners import CodeOwners, parse
from pipeline.core.finding import Finding, Severity
from pipeline.core.secret_forms import MASK
from pipeline.core.surroundings import LONGEST_LINE, with_surroundings, without_credentials
from tests.samples import TEXT
from tests.support import KEY_ID, PASSWORD

LINES = tuple(f"line {number}" for number in range(1, 11))
BASE = Finding(rule="R", tool="t", severity=Severity.LOW, message="m", path="a.py", line=5)


def around(finding: Finding, text: str) -> tuple[int, tuple[str, ...]]:
    """Where the context begins, and its lines."""
    (found,) = with_surroundings([finding], {finding.path: text}, CodeOwners())
    return found.context_start, found.context


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("line", "first", "last"), [(1, 1, 4), (2, 1, 5), (5, 2, 8), (9, 6, 10), (10, 7, 10)]
)  # fmt: skip
def test_three_lines_stand_on_each_side(line: int, first: int, last: int, end: str) -> None:
    text = "".join(f"{item}{end}" for item in LINES)
    assert around(replace(BASE, line=line), text) == (first, LINES[first - 1 : last])


@pytest.mark.parametrize("line", [0, 11, 10**9])
def test_a_place_that_the_file_does_not_have_shows_nothing(line: int) -> None:
    assert around(replace(BASE, line=line), "\n".join(LINES)) == (0, ())


def test_what_a_stage_has_told_itself_stays() -> None:
    told = replace(BASE, owner="@me", context=("own",), context_start=5)
    assert with_surroundings([told], {"a.py": "\n".join(LINES)}, parse("* @you")) == (told,)


def test_the_owner_is_of_the_file_and_needs_no_line() -> None:
    findings = [replace(BASE, path="lock.txt", line=0), replace(BASE, path="", line=0), BASE]
    found = with_surroundings(findings, {}, parse("*.txt @a b@c.example\n"))
    assert [finding.owner for finding in found] == ["@a b@c.example", "", ""]


def test_a_long_line_is_cut() -> None:
    _, (shown,) = around(replace(BASE, line=1), "x" * 10**6)
    assert shown == "x" * (LONGEST_LINE - 1) + "…"


@given(st.lists(TEXT, max_size=9), st.integers(0, 12))
def test_whatever_a_file_holds_the_context_is_short_and_has_the_place(lines: list[str], line: int) -> None:
    first, context = around(replace(BASE, line=line), "\n".join(lines))
    assert len(context) <= 7
    assert all(len(shown) <= LONGEST_LINE for shown in context)
    assert not context or first <= line < first + len(context)


def test_a_line_is_shown_as_the_tool_has_masked_it_for_every_finding_beside_it() -> None:
    text = "a = 1\nfirst = 'abc'\nb = 2\n"
    masking = replace(BASE, tool="bandit", line=2, snippet=f"first = '{MASK}'")
    beside = replace(BASE, line=3)
    found = with_surroundings([masking, beside], {"a.py": text}, CodeOwners())
    assert [finding.context for finding in found] == [("a = 1", f"first = '{MASK}'", "b = 2")] * 2


@pytest.mark.parametrize(
    "line",
    [
        f'DB_PASSWORD = "{PASSWORD}"',
        f"connect(user='x', passwd='{PASSWORD}')",
        f'headers["X-Api-Key"] = "{PASSWORD}"',
        f'{{"token": "{PASSWORD}", "name": "x"}}',
        f"secret: str = r'{PASSWORD}",
        f'x = "it\'s", {{"client_secret": \'{PASSWORD}\'}}',
        f"key = {KEY_ID}",
        f'y = call("{KEY_ID}")',
        f"# password: {PASSWORD}",
        'header = "eyJhbGciOiJIUzI1NiJ9.' + 'eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc"',
    ],
)
def test_no_credential_of_a_python_file_is_shown(line: str) -> None:
    shown = without_credentials(line, in_code=True)
    assert MASK in shown
    assert PASSWORD not in shown
    assert KEY_ID not in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize(
    "line",
    [
        f"DB_PASSWORD={PASSWORD}", f"export API_KEY = {PASSWORD} more", f"  password: {PASSWORD}",
        f"ENV TOKEN={PASSWORD}", f'"secret" : "{PASSWORD}"', f"db.passwd={PASSWORD}",
    ],
)  # fmt: skip
def test_nor_one_of_another_file_where_texts_need_no_quotes(line: str) -> None:
    shown = without_credentials(line, in_code=False)
    assert MASK in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    "line",
    [
        "password = read_password(path)", 'print("password is wrong")', "passed = 'all'", 'x = "abc"',
        "token = other.token",
        "    --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 'secret = ""',
    ],
)  # fmt: skip
def test_code_without_one_is_shown_as_it_is(line: str) -> None:
    assert without_credentials(line, in_code=True) == line


def test_of_a_private_key_nothing_is_shown() -> None:
    begin, end = ("-----" + word + " RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    text = f"a\n{begin}\nMIIabc\nMIIdef\n{end}\nb\n{begin}\nMIIghi\n"
    assert around(replace(BASE, path="k.pem", line=5), text) == (2, (MASK, MASK, MASK, MASK, "b", MASK, MASK))
