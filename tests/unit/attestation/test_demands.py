"""Policies: what they may say, and that none of them demands nothing."""

from __future__ import annotations

import pytest

from pipeline.attestation.demands import ALWAYS, Demands, read_demands, usual
from pipeline.errors import ConfigurationError
from pipeline.settings import STAGE_NAMES


def test_without_a_policy_every_stage_before_the_push_is_demanded() -> None:
    assert usual().stages == STAGE_NAMES[:-1]
    assert usual(("lint", "push")).stages == ("lint",)
    assert usual().attestations == ALWAYS and usual().max_age_days is None


def test_a_policy_says_what_it_says_and_nothing_else_changes() -> None:
    text = (
        'builder = "https://ci"\nsource = "https://repo"\nstages = ["test"]\nattestations = ["sbom"]\nmax_age_days = 30'
    )
    assert read_demands(text, "policy.toml", usual()) == Demands(
        builder="https://ci",
        source="https://repo",
        stages=("test",),
        attestations=(*ALWAYS, "sbom"),
        max_age_days=30,
    )
    assert read_demands("", "policy.toml", usual()) == usual()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("builder", "can't be read as TOML"),
        ("builders = 1", "There is no key 'builders'"),
        ("builder = 1", "builder must be a text"),
        ("stages = []", "stages must be a list of names that is not empty"),
        ('stages = "test"', "stages must be a list"),
        ("stages = [1]", "stages must be a list"),
        ('attestations = ["sboms"]', "There is no attestation 'sboms'; there are provenance, test-result"),
        ("max_age_days = 0", "max_age_days must be a number above 0"),
        ("max_age_days = true", "max_age_days must be a number above 0"),
    ],
)
def test_a_policy_that_can_not_be_used_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read_demands(text, "policy.toml", usual())
    assert "policy.toml" in str(caught.value)
