"""``build.expect`` as somebody wrote it: what is refused, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings_expect import expectations
from pipeline.settings_loading import load, policy
from pipeline.settings_values import nearest


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "a table"),
        ({"usr": "1"}, "a table of known keys, and usr is none (did you mean 'user'?)"),
        ({"files": [{"path": "/a", "exist": True}]}, "and files.exist is none (did you mean 'exists'?)"),
        ({"user": 5}, "a table whose user is a text"),
        ({"workdir": ""}, "a table whose workdir is a text"),
        ({"ports": "5000"}, "a table whose ports is a list of texts"),
        ({"ports": [5000]}, "a table whose ports is a list of texts"),
        ({"ports": []}, "an empty list expects nothing"),
        ({"labels": {}}, "a table whose labels is a table of texts"),
        ({"labels": {"a": True}}, "a table whose labels holds texts"),
        ({"environment": {"a": {"match": "x"}}}, "a table whose environment holds texts"),
        ({"environment": {"a": {"matches": "("}}}, "a table whose environment holds patterns, and '(' is none"),
        ({"files": {}}, "a table whose files is a list of tables"),
        ({"files": []}, "a table whose files is a list of tables"),
        ({"files": [{"mode": "0644"}]}, "a table whose files each have a path that begins with /"),
        ({"files": [{"path": "a"}]}, "a table whose files each have a path that begins with /"),
        ({"files": [{"path": "/"}]}, "a table whose files each have a path that begins with /"),
        ({"files": [{"path": "/a", "mode": 644}]}, "a table whose files.mode is like"),
        ({"files": [{"path": "/a", "mode": "0999"}]}, "a table whose files.mode is like"),
        ({"files": [{"path": "/a", "owner": "root"}]}, "a table whose files.owner is a number"),
        ({"files": [{"path": "/a", "group": -1}]}, "a table whose files.group is a number"),
        ({"files": [{"path": "/a", "sha256": "abc"}]}, "64 hexadecimal digits"),
        ({"files": [{"path": "/a", "executable_by": "me"}]}, "one of owner, group, other, any"),
        ({"files": [{"path": "/a", "exists": "no"}]}, "a table whose files.exists is true or false"),
        ({"files": [{"path": "/a", "content": ["["]}]}, "a table whose files.content holds patterns"),
        ({"files": [{"path": "/a", "exists": False, "mode": "0644"}]}, "expects nothing else of /a"),
    ],
)
def test_what_can_t_be_expected_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        expectations(value, nearest)
    assert said in str(refused.value)


def test_a_misspelt_expectation_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pipeline.build.expect]\nusers = "1"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"build\.expect must be a table of known keys.*did you mean 'user'"):
        load(tmp_path, {})


def test_the_policy_tells_the_expectations_as_they_were_written(tmp_path: Path) -> None:
    text = '[tool.pipeline.build.expect]\nfiles = [{ path = "/a", exists = false }]\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert policy(load(tmp_path, {}))["build.expect"] == {"files": [{"path": "/a", "exists": False}]}
