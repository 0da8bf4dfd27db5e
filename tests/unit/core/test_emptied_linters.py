"""Settings of ruff and pylint that take the whole of ``lint`` away are findings; milder ones are listed."""

from __future__ import annotations

import pytest

from pipeline.core.emptied_linters import MOST_DISABLED, Emptied, pylint, ruff

FILES = ("a.py", "pkg/b.py", "pkg/sub/c.py")


def by_ruff(text: str, path: str = "ruff.toml", files: tuple[str, ...] = FILES, **more: str) -> Emptied:
    """What one configuration of ruff amounts to."""
    return ruff({path: text, **more}, files)


def rules(emptied: Emptied) -> list[str]:
    """The rules of what was found."""
    return [finding.rule for finding in emptied.findings]


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ('[lint]\nignore = ["ALL"]\n', "no-rules", 2),
        ('[lint]\nextend-ignore = ["ALL"]\n', "no-rules", 2),
        ('ignore = ["ALL"]\n', "no-rules", 1),
        ("[lint]\nselect = []\n", "no-rules", 2),
        ('[lint.per-file-ignores]\n"*" = ["ALL"]\n', "no-rules", 1),
        ('[lint.extend-per-file-ignores]\n"**/*.py" = ["F"]\n"a.py" = ["F"]\n', "no-rules", 1),
        ('[lint.per-file-ignores]\n"{a,b,c}.py" = ["E", "W"]\n', "no-rules", 1),
        ('[lint.per-file-ignores]\n"!nothing.py" = ["E"]\n', "no-rules", 1),
        ('force-exclude = true\nexclude = ["*.py"]\n', "excludes-everything", 2),
        ('force-exclude = true\nextend-exclude = ["pkg", "a.py"]\n', "excludes-everything", 2),
    ],
)
def test_ruff_left_without_rules_or_files_is_a_finding(text: str, rule: str, line: int) -> None:
    (finding,) = by_ruff(text).findings
    assert (finding.rule, finding.path, finding.line, finding.tool) == (rule, "ruff.toml", line, "pipeline")
    assert finding.fix.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[lint",
        '[lint]\nselect = ["E"]\nignore = ["E501", "F"]\n',
        '[lint]\nselect = []\nextend-select = ["E"]\n',
        '[lint.per-file-ignores]\n"__init__.py" = ["F401"]\n"*" = ["E501", "S101"]\n',
        '[lint.per-file-ignores]\n"pkg/*" = ["E"]\n',
        '[lint.per-file-ignores]\n"pkg" = ["ALL"]\n"sub/" = ["ALL"]\n',
        # Single files are named on the command line, so excludes count only when they are forced.
        'exclude = ["*.py"]\n',
        'force-exclude = true\nextend-exclude = ["pkg"]\n',
        'extend = "other.toml"\n',
    ],
)
def test_ruff_that_still_looks_is_none(text: str) -> None:
    assert not rules(by_ruff(text))


def test_files_that_are_excused_from_all_rules_are_named_and_do_not_count_as_checked() -> None:
    emptied = by_ruff('[lint.per-file-ignores]\n"pkg/sub/*" = ["E", "F", "W", "C"]\n')
    assert emptied.excused == {"pkg/sub/c.py": "ruff.toml"}
    assert emptied.doubts == ("ruff.toml excuses pkg/sub/c.py from all rules.",)
    assert not rules(emptied)


def test_the_nearest_configuration_counts_and_its_patterns_are_relative_to_it() -> None:
    nested = {"pkg/.ruff.toml": '[lint.per-file-ignores]\n"sub/*" = ["ALL"]\n'}
    assert ruff({"ruff.toml": '[lint.per-file-ignores]\n"a.py" = ["ALL"]\n', **nested}, FILES).excused == {
        "a.py": "ruff.toml",
        "pkg/sub/c.py": "pkg/.ruff.toml",
    }
    elsewhere = by_ruff('[tool.ruff.lint]\nignore = ["ALL"]\n', "pkg/sub/pyproject.toml")
    assert [finding.path for finding in elsewhere.findings] == ["pkg/sub/pyproject.toml"]


def test_what_a_configuration_extends_is_read_too_and_a_ring_ends() -> None:
    base = {"base.toml": '[lint.per-file-ignores]\n"*" = ["ALL"]\n'}
    emptied = by_ruff('extend = "../base.toml"\n', "pkg/ruff.toml", files=("pkg/b.py",), **base)
    assert [finding.path for finding in emptied.findings] == ["base.toml"]
    assert not rules(by_ruff('extend = "ruff.toml"\n'))


def test_rules_that_are_switched_off_are_listed() -> None:
    text = '[lint]\nignore = ["N818"]\n[lint.per-file-ignores]\n"tests/*" = ["S101", "D"]\n"x.py" = "E501"\n'
    assert [(n.what, n.reason) for n in by_ruff(text).not_checked] == [
        ("ruff rules N818", "They are switched off in ruff.toml."),
        ("ruff rules S101, D in tests/*", "They are switched off in ruff.toml."),
        ("ruff rules E501 in x.py", "They are switched off in ruff.toml."),
    ]


MANY = ", ".join(f'"message-{n}"' for n in range(MOST_DISABLED + 1))


@pytest.mark.parametrize(
    ("path", "text", "rule", "line"),
    [
        ("pyproject.toml", '[tool.pylint.main]\ndisable = ["all"]\n', "no-rules", 2),
        ("pyproject.toml", '[tool.pylint]\ndisable = "all"\nenable = ["C"]\n', "no-rules", 2),
        ("pyproject.toml", '[tool.pylint."messages control"]\ndisable = ["C", "E"]\n', "no-rules", 2),
        (".pylintrc.toml", f"[tool.pylint.main]\ndisable = [{MANY}]\n", "no-rules", 2),
        (".pylintrc", "[MESSAGES CONTROL]\ndisable=\n  all,\n", "no-rules", 2),
        ("setup.cfg", "[pylint.main]\ndisable=all\n", "no-rules", 2),
        ("tox.ini", "[pylint]\nfail-under=0\n", "no-threshold", 2),
        ("pyproject.toml", "[tool.pylint.main]\nfail-under = -1\n", "no-threshold", 2),
        ("pyproject.toml", '[tool.pylint.reports]\nevaluation = "10.0"\n', "no-threshold", 2),
        ("pyproject.toml", '[tool.pylint.main]\nignore-paths = [".*"]\n', "excludes-everything", 2),
        ("pyproject.toml", "[tool.pylint.main]\nignore-patterns = '''a,b,c'''\n", "excludes-everything", 2),
        ("pylintrc", "[MASTER]\nignore=a.py,b.py,c.py\n", "excludes-everything", 2),
        ("pyproject.toml", '[tool.pylint.main]\nignored-modules = ["gi", "pkg.b"]\n', "no-rules", 2),
        ("pyproject.toml", '[tool.pylint.main]\nignored-modules = ["pkg.*"]\n', "no-rules", 2),
    ],
)
def test_pylint_left_without_messages_score_or_files_is_a_finding(path: str, text: str, rule: str, line: int) -> None:
    (finding,) = pylint({path: text}, FILES).findings
    assert (finding.rule, finding.path, finding.line) == (rule, path, line)


@pytest.mark.parametrize(
    "text",
    [
        '[tool.pylint.main]\ndisable = ["C", "R", "too-many-lines"]\n',
        '[tool.pylint.main]\ndisable = ["all"]\nenable = ["E", "W"]\n',
        "[tool.pylint.main]\nfail-under = 9.5\n",
        '[tool.pylint.main]\nignored-modules = ["gi", "cv2"]\n',
        '[tool.pylint.main]\nignore = ["CVS"]\nignore-paths = ["^tests/"]\nignore-patterns = ["["]\n',
        "[tool.pylint.reports]\n"
        'evaluation = "max(0, 0 if fatal else 10.0 - ((float(5*error+warning+refactor+convention)/statement) * 10))"\n',
    ],
)
def test_pylint_that_still_looks_is_none(text: str) -> None:
    assert not pylint({"pyproject.toml": text}, FILES).findings


def test_the_file_counts_that_pylint_would_take_and_its_messages_are_listed() -> None:
    texts = {".pylintrc": "[MAIN]\ndisable=x-y\n", "pyproject.toml": '[tool.pylint.main]\ndisable = ["all"]\n'}
    emptied = pylint(texts, FILES)
    assert not emptied.findings
    assert [n.what for n in emptied.not_checked] == ["pylint messages x-y"]
    assert pylint({}, FILES) == Emptied(excused={})
