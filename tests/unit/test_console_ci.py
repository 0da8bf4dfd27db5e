"""Which CI system folds lines, and how."""

from __future__ import annotations

import pytest

from pipeline.console_ci import GitHubGroups, GitLabGroups, groups_of


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, None),
        ({"CI": "true"}, None),
        ({"GITHUB_ACTIONS": "false"}, None),
        ({"GITHUB_ACTIONS": "true"}, GitHubGroups),
        ({"GITLAB_CI": "true"}, GitLabGroups),
    ],
)
def test_the_system_is_known_by_its_own_variable(environ: dict[str, str], kind: type | None) -> None:
    groups = groups_of(environ)
    assert groups is None if kind is None else isinstance(groups, kind)


def test_a_title_means_what_it_says() -> None:
    assert GitHubGroups().opened("x", "100%0A") == "::group::100%250A"
    assert ":pipeline_a_b_c[collapsed=true]\r" in GitLabGroups().opened("a:b\nc", "title")
