"""Reading a hashed lock, and holding it against the requirements it was made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.lock import (
    Pin,
    check_satisfies,
    linux_markers,
    parse_lock,
    parse_requirements,
)
from pipeline.core.lock_lines import included_files
from pipeline.errors import ConfigurationError, TargetFault

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LOCK = f"""\
# made by uv
--index-url https://example.org/simple
--only-binary :all:

Flask==3.1.0 \\
    --hash={A} \\
    --hash={B}
    # via -r requirements.in
typing_extensions==4.12.2 ; python_version < '3.13' \\
    --hash={A}
uvicorn[standard]===0.30.1 --hash={B}  # pinned exactly
"""


def pins(text: str) -> tuple[Pin, ...]:
    """The pins of a text."""
    return parse_lock(text, "requirements.txt")


def pin(name: str, version: str, marker: str = "") -> Pin:
    """A pin on line 1."""
    return Pin(name=name, version=version, hashes=(A,), line=1, marker=marker)


def test_every_pin_is_read_with_its_hashes_marker_and_line() -> None:
    read = pins(LOCK)
    assert len(read) == 3
    flask, extensions, uvicorn = read[0], read[1], read[2]
    assert flask == Pin(name="flask", version="3.1.0", hashes=(A, B), line=5)
    assert (extensions.name, extensions.line, extensions.marker) == ("typing-extensions", 9, 'python_version < "3.13"')
    assert (uvicorn.name, uvicorn.version, uvicorn.line) == ("uvicorn", "0.30.1", 11)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "--index-url https://example.org\n", "\\\n", "\ufeff"])
def test_a_lock_without_a_requirement_has_no_pins(text: str) -> None:
    assert not pins(text)


def test_line_ends_and_byte_order_marks_of_other_systems_are_read() -> None:
    assert pins("\ufeff" + LOCK.replace("\n", "\r\n")) == pins(LOCK)


def test_a_continuation_that_the_file_ends_in_is_read() -> None:
    assert pins(f"six==1.17.0 \\\n  --hash={A} \\") == (pin("six", "1.17.0"),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("flask", "not pinned to one version"),
        (f"flask>=3 --hash={A}", "not pinned to one version"),
        (f"flask==3.* --hash={A}", "not pinned to one version"),
        (f"flask==3.0,!=3.1 --hash={A}", "not pinned to one version"),
        (f"flask @ https://example.org/flask.whl --hash={A}", "not pinned to one version"),
        (f"flask===odd-one --hash={A}", "no version of PEP 440"),
        (f"https://example.org/flask.whl --hash={A}", "is not a requirement"),
        (f"./flask --hash={A}", "is not a requirement"),
        (f"${{NAME}}==1.0 --hash={A}", "is not a requirement"),
        (f"flask==3.0 ; pyhton_version < '3' --hash={A}", "is not a requirement"),
        ("flask==3.0", "no SHA-256 hash"),
        ("flask==3.0 --hash=sha256:abc", "no SHA-256 hash"),
        (f"flask==3.0 --hash={A}a", "no SHA-256 hash"),
        (f"flask==3.0 # --hash={A}", "no SHA-256 hash"),
        ("-r other.txt", "takes in what this lock does not hold"),
        ("-rother.txt", "takes in what this lock does not hold"),
        ("--requirement=other.txt", "takes in what this lock does not hold"),
        ("--requirement other.txt", "takes in what this lock does not hold"),
        ("-e .", "takes in what this lock does not hold"),
        ("--editable=.", "takes in what this lock does not hold"),
    ],
)
def test_what_is_not_locked_is_refused_with_its_line_and_the_remedy(line: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        pins(f"# a comment\n{line}\n")
    assert "requirements.txt:2" in str(caught.value)


@given(st.lists(st.sampled_from(["a==1", "b.c==2.0rc1", "D_e==3+local", "f==1!4.0.post1"]), unique=True))
def test_what_is_written_as_a_lock_is_read_back(requirements: list[str]) -> None:
    text = "".join(f"{requirement} \\\n    --hash={A}\n" for requirement in requirements)
    read = pins(text)
    assert [p.line for p in read] == [1 + 2 * number for number in range(len(requirements))]
    assert [p.version for p in read] == [requirement.split("==")[1] for requirement in requirements]


def test_a_marker_decides_where_a_pin_applies() -> None:
    marked = pin("tomli", "2.0", "python_version < '3.11'")
    assert marked.applies(linux_markers("3.10"))
    assert not marked.applies(linux_markers("3.13"))
    assert pin("tomli", "2.0").applies({})


def test_the_marker_values_are_those_of_python_on_linux() -> None:
    values = linux_markers("3.13")
    assert (values["python_version"], values["python_full_version"], values["sys_platform"]) == (
        "3.13",
        "3.13.0",
        "linux",
    )
    assert linux_markers("3.12.4")["python_full_version"] == "3.12.4"


def test_requirements_are_read_without_options_and_comments() -> None:
    text = (
        "# wants\n-c limits.txt\n-r base.in\n--pre\nFlask>=3  # web\ngunicorn[gthread]>=25 ; sys_platform == 'linux'\n"
    )
    assert [str(r) for r in parse_requirements(text)] == ["Flask>=3", 'gunicorn[gthread]>=25; sys_platform == "linux"']
    assert included_files(text) == ("base.in",)


def test_included_files_are_found_in_every_spelling() -> None:
    assert included_files("-ra.in\n-r b.in # more\n--requirement c.in\n--requirement=d.in\n") == (
        "a.in",
        "b.in",
        "c.in",
        "d.in",
    )


@pytest.mark.parametrize(("line", "said"), [("-e .", "can't be locked"), ("flask >> 3", "is not a requirement")])
def test_requirements_that_nothing_can_lock_are_refused(line: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Line 2 .*{said}"):
        parse_requirements(f"flask\n{line}\n")


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ((pin("flask", "3.1.0"),), "Flask>=3"),
        ((pin("flask", "3.1.0rc1"),), "flask>=3"),
        ((pin("torch", "2.0+cpu"),), "torch==2.0"),
        ((), "tomli>=2 ; python_version < '3.11'"),
        (
            (pin("numpy", "1.26", "python_version < '3.12'"), pin("numpy", "2.1", "python_version >= '3.12'")),
            "numpy>=2",
        ),
    ],
)
def test_a_lock_satisfies_what_it_was_made_from(held: tuple[Pin, ...], wanted: str) -> None:
    check_satisfies(held, parse_requirements(wanted), "requirements.txt", "requirements.in", linux_markers("3.13"))


@pytest.mark.parametrize(
    ("held", "wanted", "said"),
    [
        ((), "flask", "does not hold flask"),
        ((pin("flask", "2.0"),), "flask>=3", "pins flask 2.0, and requirements.in asks for >=3"),
        ((pin("tomli", "2.0", "python_version < '3.11'"),), "tomli", "does not hold tomli"),
        ((pin("a", "3"), pin("a", "1")), "a>=2", "pins a 1"),
        ((pin("a", "1"), pin("a", "3")), "a>=2", "pins a 1"),
    ],
)
def test_a_lock_that_does_not_fit_is_the_target_s_fault(held: tuple[Pin, ...], wanted: str, said: str) -> None:
    with pytest.raises(TargetFault, match=said):
        check_satisfies(held, parse_requirements(wanted), "requirements.txt", "requirements.in", linux_markers("3.13"))


def test_without_marker_values_those_of_the_running_interpreter_count() -> None:
    check_satisfies((), parse_requirements("x ; python_version < '3'"), "lock", "in")
