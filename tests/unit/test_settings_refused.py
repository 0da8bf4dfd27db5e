"""Settings that can't be used are refused with the file, the key, what is allowed and the nearest spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings_loading import load


def _refusal(folder: Path, text: str = "", environ: dict[str, str] | None = None, extra: tuple[str, ...] = ()) -> str:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(folder, environ or {}, extra)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.pipeline]\nservcie = 'x'", ["pyproject.toml", "'servcie'", "did you mean 'service'?"]),
        ("[tool.pipeline.lnt]\nx = 1", ["'lnt'", "did you mean 'lint'?"]),
        ("[tool.pipeline]\nproject = {}", ["'project'", "[tool.pipeline]"]),
        (
            "[tool.pipeline.lint]\nscore_flor = 9",
            ["pyproject.toml", "'lint.score_flor'", "did you mean 'score_floor'?"],
        ),
        ("[tool.pipeline.lint]\nqqqq = 9", ["'lint.qqqq'", "known are ", "paths, exclude"]),
        ("[tool.pipeline]\nrequired = ['lint', 'tets']", ["'tets'", "did you mean 'test'?"]),
        ("[tool.pipeline]\nrequired = []", ["at least one stage"]),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest_spelling(text: str, words: list[str], tmp_path: Path) -> None:
    message = _refusal(tmp_path, text)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("score_floor = 11", "a number from 0 to 10, not 11"),
        ("score_floor = -0.1", "a number from 0 to 10"),
        ("score_floor = nan", "a number from 0 to 10, not nan"),
        ("score_floor = inf", "a number"),
        ("score_floor = '9'", "a number from 0 to 10, not '9'"),
        ("score_floor = true", "a number from 0 to 10, not True"),
        ("score_floor = [9]", "a number"),
        ("score_floor = 1" + "0" * 400, "a number"),
        ("timeout_s = true", "a whole number of at least 1, not True"),
        ("timeout_s = 1.5", "a whole number of at least 1, not 1.5"),
        ("timeout_s = inf", "a whole number"),
        ("timeout_s = nan", "a whole number"),
        ("timeout_s = 0", "a number of at least 1, not 0"),
        ("timeout_s = 2024-01-01", "a whole number"),
        ("max_complexity = {}", "a whole number from 1 to 1000"),
        ("fail_on = 'hgih'", "did you mean 'high'?"),
        ("fail_on = 3", "one of critical, high, medium, low, info"),
        ("fail_on = 'unknown'", "one of critical, high, medium, low, info"),
        ("paths = 'service'", "a list of texts, not 'service'"),
        ("paths = [1]", "a list of texts"),
        ("paths = ['/etc']", "below it"),
        ("paths = ['../x']", "below it"),
        ("paths = ['a/../../x']", "below it"),
        ("paths = ['']", "below it"),
        ("exclude = ['a']", "each reason a sentence"),
        ("exclude = 'a'", "each reason a sentence"),
        ("exclude = [{path = 'a'}]", "each reason a sentence"),
        ("exclude = [{path = 'a', reason = ''}]", "each reason a sentence"),
        ("exclude = [{path = 'a', reason = 'because'}]", "each reason a sentence"),
        ("exclude = [{path = 'a', reason = 3}]", "each reason a sentence"),
        ("exclude = [{path = 3, reason = 'made by a tool'}]", "each reason a sentence"),
        ("exclude = [{path = 'a', reason = 'made by a tool', owner = 'me'}]", "each reason a sentence"),
        ("exclude = [{path = './', reason = 'made by a tool'}]", "each reason a sentence"),
        ("exclude = [{path = '/a', reason = 'made by a tool'}]", "below it"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(line: str, allowed: str, tmp_path: Path) -> None:
    message = _refusal(tmp_path, f"[tool.pipeline.lint]\n{line}\n")
    assert f"pyproject.toml: lint.{line.split(' ')[0]} must be " in message
    assert allowed in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("table", "line", "allowed"),
    [
        ("build", "base = 'lcoked'", "one of locked, dockerfile (did you mean 'locked'?)"),
        ("build", "base = ''", "one of locked, dockerfile"),
        ("build", "python = 'latest'", "a text like '3.13'"),
        ("build", "python = '3'", "a text like '3.13'"),
        ("build", "python = ''", "a text like '3.13'"),
        ("build", "python = 3.13", "text in quotes, not 3.13"),
        ("scan", "confidence = 'unknown'", "one of high, medium, low, not 'unknown'"),
        ("push", "insecure = 1", "true or false, not 1"),
        ("push", "insecure = 'true'", "true or false"),
        ("smoke", "cpus = inf", "a number of at least 0.01"),
        ("smoke", "environment = 'A=1'", "a table of texts"),
        ("smoke", "environment = {A = 1}", "a table of texts"),
        ("smoke", "environment = {'' = 'x'}", "a name is not empty"),
        ("smoke", "environment = {'A=B' = 'x'}", "holds no '='"),
        ("smoke", 'environment = {A = "x\\u0000"}', "a table of environment variables"),
        ("reports", "folder = ''", "below it"),
        ("reports", "folder = '/srv'", "below it"),
        ("reports", "folder = '..'", "below it"),
    ],
)
def test_the_other_kinds_of_value(table: str, line: str, allowed: str, tmp_path: Path) -> None:
    assert allowed in _refusal(tmp_path, f"[tool.pipeline.{table}]\n{line}\n")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PIPELINE_LINT_SCORE_FLOR", "9", "did you mean 'PIPELINE_LINT_SCORE_FLOOR'?"),
        ("PIPELINE_LINT_SCORE_FLOOR", "11", "lint.score_floor must be a number from 0 to 10, not 11"),
        ("PIPELINE_LINT_SCORE_FLOOR", "nan", "a number from 0 to 10"),
        ("PIPELINE_LINT_SCORE_FLOOR", "ten", "a number from 0 to 10, not 'ten'"),
        ("PIPELINE_LINT_TIMEOUT_S", "1.5", "a whole number"),
        ("PIPELINE_LINT_TIMEOUT_S", "", "a whole number"),
        ("PIPELINE_LINT_FAIL_ON", "", "one of critical"),
        ("PIPELINE_LINT_EXCLUDE", "a", "each reason a sentence"),
        ("PIPELINE_LINT_EXCLUDE", "[]\nx = 1", "each reason a sentence"),
        ("PIPELINE_PUSH_INSECURE", "yes", "true or false, not 'yes'"),
        ("PIPELINE_SMOKE_ENVIRONMENT", "A", "NAME=value, NAME=value"),
        ("PIPELINE_SMOKE_ENVIRONMENT", "=x", "a name is not empty"),
        ("PIPELINE_ENGINE_PROVISION", "always", "one of never, auto"),
    ],
)
def test_variables_are_judged_like_keys(variable: str, text: str, words: str, tmp_path: Path) -> None:
    message = _refusal(tmp_path, environ={variable: text})
    assert variable in message
    assert words in message or words in message.replace("'11'", "11")


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    text = "[tool.pipeline]\nnmae = 'x'\nrequired = ['lnit']\n[tool.pipeline.lint]\nscore_floor = 11\n"
    text += "[tool.pipeline.scan]\nx = 1\n"
    message = _refusal(tmp_path, text, {"PIPELINE_TEST_MINIMUM": "0", "PIPELINE_BUILD_IMAEG": "x"})
    for words in ("'nmae'", "'lnit'", "lint.score_floor", "'scan.x'", "PIPELINE_TEST_MINIMUM", "PIPELINE_BUILD_IMAEG"):
        assert words in message
    assert "pipeline config" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tool = 5", "tool must be a table"),
        ("[tool]\npipeline = 5", "tool.pipeline must be a table"),
        ("project = 5", "project must be a table"),
        ("[tool.pipeline]\nlint = 5", "lint must be a table"),
        ("[tool.pipeline", "can't be read as TOML"),
        ("x = " + "[" * 5000, "can't be read as TOML"),
    ],
)
def test_a_file_of_another_shape_is_no_traceback(text: str, words: str, tmp_path: Path) -> None:
    assert words in _refusal(tmp_path, text)


def test_a_table_of_a_stage_of_ones_own_must_be_one(tmp_path: Path) -> None:
    assert "tool.pipeline.docs must be a table" in _refusal(tmp_path, "[tool.pipeline]\ndocs = 5\n", extra=("docs",))
    assert "'docs'" in _refusal(tmp_path, "[tool.pipeline.docs]\nx = 5\n")


def test_a_missing_or_unreadable_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no pyproject\.toml"):
        load(tmp_path, {})
    (tmp_path / "pyproject.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(ConfigurationError, match="can't be read as TOML"):
        load(tmp_path, {})
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ConfigurationError, match="can't be read"):
        load(tmp_path, {})
