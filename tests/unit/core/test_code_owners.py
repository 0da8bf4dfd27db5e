"""CODEOWNERS means here what it means to GitHub (and, with sections, to GitLab); git itself is asked about patterns."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.code_owners import parse
from tests.samples import HOSTILE, TEXT

# The rules that "About code owners" explains, in other words than its example, which holds each of them.
EXPLAINED = """
# Everybody's.
*                    @default one@example.com
*.js                 @scripts #Inline.
*.go                 docs@example.com
/build/logs/         @logs
docs/*               @direct
apps/                @anywhere
/docs/api/           @api
**/generated         @machine
/services/           @services
/services/legacy
with\\ space/        @space
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README", ("@default", "one@example.com")),
        ("a/b/deep.js", ("@scripts",)),
        ("x.go", ("docs@example.com",)),
        ("build/logs/1.txt", ("@logs",)),
        ("other/build/logs/1.txt", ("@default", "one@example.com")),
        ("docs/start.md", ("@direct",)),
        ("docs/more/deep.md", ("@default", "one@example.com")),
        ("docs/api/deep/x.md", ("@api",)),
        ("apps/x", ("@anywhere",)),
        ("some/apps/deep/x", ("@anywhere",)),
        ("apps", ("@default", "one@example.com")),
        ("generated", ("@machine",)),
        ("a/generated/b/c", ("@machine",)),
        ("services/a", ("@services",)),
        ("services/legacy/a", ()),
        ("with space/a", ("@space",)),
    ],
)
def test_the_last_pattern_that_matches_decides(path: str, owners: tuple[str, ...]) -> None:
    assert parse(EXPLAINED).of(path) == owners


@pytest.mark.parametrize(
    "line",
    [
        "!a.py @you", "[ab].py @you", "a.py[12] @you", "a.py you", "a.py @you maybe", "a***.py @you", "/ @you", "\\",
        "# a.py @you",
    ],
)  # fmt: skip
def test_a_line_that_github_passes_over_changes_nothing(line: str) -> None:
    assert parse(f"* @all\n{line}\n").of("a.py") == ("@all",)


SECTIONS = """
* @all
[Documentation] @writers
docs/
README.md @lead
^[Database][2] @dba1 @dba2
*.sql
docs/schema.sql @schema
[DOCUMENTATION]
docs/schema.sql @more
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("a.py", ("@all",)),
        ("docs/a.md", ("@all", "@writers")),
        ("README.md", ("@all", "@lead")),
        ("x/y.sql", ("@all", "@dba1", "@dba2")),
        # A section that goes on has no default owners but those of its own new heading.
        ("docs/schema.sql", ("@all", "@more", "@schema")),
    ],
)
def test_of_gitlabs_sections_each_has_its_say(path: str, owners: tuple[str, ...]) -> None:
    assert parse(SECTIONS).of(path) == owners


NAMES = st.sampled_from(["a", "b", "ab", "a.py", "b.md", "docs"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
GLOB_PARTS = st.sampled_from(["a", "b", "ab", "a.py", "docs", "*", "**", "*.py", "a*", "?", "?b"])
PATTERNS = st.builds(
    lambda start, parts, end: f"{start}{'/'.join(parts)}{end}",
    st.sampled_from(["", "/"]),
    st.lists(GLOB_PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@given(pattern=PATTERNS, paths=st.lists(PATHS, min_size=1, max_size=12, unique=True))
@settings(max_examples=60, deadline=None)
def test_a_pattern_means_what_it_means_in_a_gitignore(
    pattern: str, paths: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    direct = pattern.endswith("/*") and pattern.count("/") > 0
    folder = tmp_path_factory.getbasetemp() / "codeowners"
    if not folder.exists():
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text(f"{pattern}\n", encoding="utf-8")
    # A file whose name ends so that git can't take it for a folder; nothing needs to be there.
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=folder, input="\0".join(paths) + "\0", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode in (0, 1), asked.stderr
    ignored = {path for path in asked.stdout.split("\0") if path}
    owners = parse(f"{pattern} @you\n")
    owned = {path for path in paths if owners.of(path)}
    if direct:
        # The one difference that GitHub documents: folders that the star matches are not entered.
        assert owned <= ignored
        assert all(path.count("/") > pattern.strip("/").count("/") for path in ignored - owned)
    else:
        assert owned == ignored


@given(rules=st.lists(st.tuples(PATTERNS, st.sampled_from(["", "@x", "@y", "@z"])), max_size=6), path=PATHS)
def test_owners_are_those_of_the_last_rule_that_matches_alone(rules: list[tuple[str, str]], path: str) -> None:
    whole = parse("".join(f"{pattern} {owner}\n" for pattern, owner in rules)).of(path)
    matching = [owner for pattern, owner in rules if parse(f"{pattern} @some\n").of(path)]
    assert whole == ((matching[-1],) if matching and matching[-1] else ())


@given(PATHS, st.lists(NAMES, max_size=3))
def test_a_path_names_itself_and_all_below_it(path: str, below: list[str]) -> None:
    assert parse(f"/{path} @you\n").of("/".join([path, *below])) == ("@you",)


@given(
    st.lists(st.one_of(TEXT, st.sampled_from(["* @x", "[A] @y", "/**/**/**/a @z"]))),
    st.one_of(PATHS, st.sampled_from(HOSTILE)),
)
def test_no_text_is_an_error(lines: list[str], path: str) -> None:
    assert all(owner and " " not in owner for owner in parse("\n".join(lines)).of(path))


def test_a_pattern_made_to_take_for_ever_does_not() -> None:
    hostile = "**/a*a*a*a*a*a*a*a*a*a*b/" * 90
    assert not parse(f"{hostile} @you\n").of("/".join(["a" * 200] * 90))


def test_of_a_file_without_end_only_the_beginning_is_read() -> None:
    assert parse("* @first\n" + "/other @x\n" * 20_000 + "* @last\n").of("a.py") == ("@first",)
