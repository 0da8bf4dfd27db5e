"""Comments that silence a tool are found wherever the tool would obey them, with the reason that stands by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.stage import Suppression
from pipeline.core.suppressions import (
    SuppressionKind,
    allowed_secrets,
    comments_of,
    exempts_itself,
    states_a_reason,
)
from tests.support import ALLOW, ALLOW_NEXT

# Put together here: coverage reads lines, and would obey these in a string too.
NO_COVER, NO_BRANCH = "pragma: " + "no cover", "pragma: " + "no branch"
COMMENTED = tuple(
    kind
    for kind in SuppressionKind
    if kind not in (SuppressionKind.ALLOWLIST, SuppressionKind.SKIP, SuppressionKind.XFAIL)
)


def found(source: str | bytes, *kinds: SuppressionKind) -> list[tuple[str, int, str, str]]:
    """The suppressions in a source: kind, line, text, reason."""
    content = source.encode() if isinstance(source, str) else source
    return [(s.kind, s.line, s.text, s.reason) for s in comments_of("a.py", content, kinds or COMMENTED)]


@pytest.mark.parametrize(
    ("comment", "kind"),
    [
        ("# nosec", "nosec"),
        ("#nosec", "nosec"),
        ("# nosec: B105, B106", "nosec"),
        # bandit's own pattern has no word boundary, so this silences a line too.
        ("#nosecret", "nosec"),
        ("# noqa", "noqa"),
        ("#NOQA:E501,F401", "noqa"),
        ("# noqa : F401", "noqa"),
        ("# a word # noqa: F401", "noqa"),
        ("# ruff: noqa", "noqa"),
        ("# flake8: noqa: F401", "noqa"),
        ("# ruff: ignore[F401]", "noqa"),
        ("# ruff: disable[F401, F811]", "noqa"),
        ("# ruff:file-ignore[F401]", "noqa"),
        ("# isort: skip_file", "noqa"),
        ("# ruff: isort: skip_file", "noqa"),
        ("# pylint: disable=all", "pylint-disable"),
        ("#pylint:disable=line-too-long", "pylint-disable"),
        ("# so pylint: disable-next=invalid-name", "pylint-disable"),
        ("# pylint: skip-file", "pylint-disable"),
        ("# pylint: disable-msg=W0611", "pylint-disable"),
        ("# type: ignore", "type-ignore"),
        ("#type:ignore[arg-type]", "type-ignore"),
        ("# pyright: ignore[reportX]", "type-ignore"),
        ("# ty: ignore", "type-ignore"),
        ("# mypy: ignore-errors", "type-ignore"),
        ('# mypy: disable-error-code="union-attr"', "type-ignore"),
        (f"# {NO_COVER}", "no-cover"),
        (f"#{NO_BRANCH.upper().replace('PRAGMA:', 'PRAGMA')}", "no-cover"),
    ],
)
def test_a_directive_is_found_where_the_tool_obeys_it(comment: str, kind: str) -> None:
    assert [item[:2] for item in found(f"x = 1  {comment}\n")] == [(kind, 1)]


@pytest.mark.parametrize(
    "comment",
    ["# pylint: enable=all", "# noqaish", "# type: int", "# type: ignored", "# ruff: enable[F401]", "# fmt: skip",
     "# mypy: strict", "# to ignore", "# pylint is quiet", "# pragma: once"],
)  # fmt: skip
def test_what_silences_nothing_is_none(comment: str) -> None:
    assert not found(f"x = 1  {comment}\n")


@pytest.mark.parametrize(
    "source",
    ['x = "# nosec in a string"\n', '"""\n# noqa\n# pylint: disable=all\n# type: ignore\n"""\n', "x = '# noqa'\n"],
)
def test_text_in_a_string_is_no_comment(source: str) -> None:
    assert not found(source)


def test_a_pragma_in_a_string_counts_because_coverage_reads_lines() -> None:
    (only,) = found(f'if x == "# {NO_COVER}":\n    pass\n')
    assert only[:3] == ("no-cover", 1, f'# {NO_COVER}":')


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1  # nosec B105 - a status, no credential\n", "a status, no credential"),
        ("x = 1  # noqa: E501 the address is long\n", "the address is long"),
        ("x = 1  # type: ignore[arg-type]  # a fake\n", "a fake"),
        ("x = 1  # it is the name of a rule  # noqa: N815\n", "it is the name of a rule"),
        ("x = 1  # nosec B603  # pylint: disable=R1732\n", ""),
        ("x = 1  # pylint: disable=R1732  # fmt: skip\n", ""),
        # bandit reads words behind a number as names of further tests, and "nosec" without the end of the word.
        ("x = 1  # nosec B324 the digest is no secret; exec_used is another matter\n", ""),
        ("x = 1  # nosec B324 it is not random at all\n", ""),
        ("x = 1  # nosec B324  # exec_used is another matter\n", "exec_used is another matter"),
        ("x = 1  # nosecond thoughts about this\n", ""),
        (f"x = 1  # {NO_COVER}: only on Windows\n", "only on Windows"),
        ("# a server's own name\nx = 1  # noqa: N815\n", "a server's own name"),
        ("# two lines\n# of reasons\nx = 1  # noqa: N815\n", "two lines of reasons"),
        ("# the first\n\nx = 1  # noqa: N815\n", ""),
        ("y = 2  # no reason for the next\nx = 1  # noqa: N815\n", ""),
        ("# as the protocol says\n# pylint: disable=invalid-name\n# ruff: noqa: N815\n", "as the protocol says"),
    ],
)
def test_a_reason_stands_in_the_same_comment_or_right_above(source: str, reason: str) -> None:
    assert {item[3] for item in found(source)} == {reason}


def test_several_directives_of_a_comment_are_listed_each() -> None:
    comment = "# nosec B603  # noqa: S603  # pylint: disable=R1732  # starts it"
    assert [item[0] for item in found(f"x = f()  {comment}\n")] == ["noqa", "nosec", "pylint-disable"]


@pytest.mark.parametrize(
    "source", [b"x = (  # nosec\n", b"# nosec\nx = '\xff'\n", b"# -*- coding: nonsense -*-\nx = 1  # nosec\n"]
)
def test_comments_of_a_file_that_is_no_valid_python_are_collected_too(source: bytes) -> None:
    assert len(found(source, SuppressionKind.NOSEC)) == 1


@given(st.binary(max_size=200))
def test_no_content_breaks_the_reading(content: bytes) -> None:
    assert isinstance(comments_of("a.py", content + b"# nosec\n", COMMENTED), tuple)
    exempts_itself(content)


@pytest.mark.parametrize(
    ("reason", "enough"),
    [("", False), ("x", False), ("because", False), ("as above", True), ("a Protocol's", True), ("2 3", False),
     ("生成されたコード", True), ("---", False)],
)  # fmt: skip
def test_a_reason_says_something(reason: str, enough: bool) -> None:
    assert states_a_reason(Suppression(kind="noqa", path="a.py", line=1, text="# noqa", reason=reason)) is enough


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key: x  # {ALLOW}\n", [(1, ALLOW, "")]),
        (f"key: x  # {ALLOW} - a public sample\n", [(1, f"{ALLOW} - a public sample", "a public sample")]),
        (f"# of the vendor's documentation\nkey: x  # {ALLOW}\n", [(2, ALLOW, "of the vendor's documentation")]),
        (f"x = 1\n; {ALLOW_NEXT}\nkey = x\n", [(2, ALLOW_NEXT, "")]),
        (f"<!-- {ALLOW} -->", [(1, f"{ALLOW} -->", "")]),
        (f"// {ALLOW.replace('allow', 'white')}\r\n/* {ALLOW} x y */\r", [(1, ALLOW.replace("allow", "white"), ""),
                                                                      (2, f"{ALLOW} x y */", "x y")]),
        (f"{ALLOW}\n", []),
        ("a list of words\n", []),
        ("words\n", []),
    ],
)  # fmt: skip
def test_allow_lists_are_found_in_files_of_any_type(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert [(s.line, s.text, s.reason) for s in allowed_secrets("a.yml", text)] == expected


@pytest.mark.parametrize(
    ("source", "exempt"),
    [
        (b"# ruff: noqa\nimport os\n", True),
        (b"import os\n#flake8:NOQA\n", True),
        # Seen with ruff 0.17.6: text behind the directive changes nothing, and text before it neither.
        (b"# ruff: noqa because\nimport os\n", True),
        (b"# ruff: noqa F401\nimport os\n", True),
        (b"# x # ruff: noqa\nimport os\n", True),
        (b"# ruff: noqa: F401\nimport os\n", False),
        (b"# ruff: noqa: because\nimport os\n", False),
        (b"# ruff: noqa, F401\nimport os\n", False),
        (b"import os  # ruff: noqa\n", False),
        (b"import os  # noqa\n", False),
        (b'"""\n# ruff: noqa\n"""\n', False),
        (b"# ruff: noqa\nx = (\n", False),
        (b"# ruff: noqa\nx = '\xff'\n", False),
    ],
)
def test_a_file_that_exempts_itself_as_a_whole_is_recognised(source: bytes, exempt: bool) -> None:
    assert exempts_itself(source) is exempt
