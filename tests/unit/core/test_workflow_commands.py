"""What a workflow runs of the pipeline: a step that is gone, wrapped, hushed or set otherwise is told."""

from __future__ import annotations

import pytest

from pipeline.core.policy_difference import Effect
from pipeline.core.workflow_commands import differences

PATH = ".github/workflows/ci.yml"
WORKFLOW = """on: push
jobs:
  pipeline:
    env:
      PIPELINE_RUN: ${{ github.run_id }}
    steps:
      - uses: actions/checkout@v4
      - name: lint
        run: ./noxw -s lint
      - run: ./noxw -s scan secrets -- --against main
      - run: |
          pip install x
          cd service && nox -t quality
      - run: python -m nox -s test
      - run: PIPELINE_X=1 pipeline run audit
      - run: ./noxw verdict
      - run: ./noxw
"""


def effects(before: str, after: str) -> list[tuple[Effect, str]]:
    """What the change of the workflow comes to."""
    found = differences(PATH, before, after)
    return [(difference.effect, difference.sentence.removeprefix(PATH).strip(" :")) for difference in found]


def loosening(before: str, after: str) -> list[str]:
    """The sentences of what loosens."""
    return [sentence for effect, sentence in effects(before, after) if effect is Effect.LOOSENS]


def test_what_a_workflow_runs() -> None:
    gone = loosening(WORKFLOW, "")
    assert [sentence.removeprefix("no longer runs ").rstrip(".") for sentence in gone[:-1]] == [
        "all stages", "pipeline verdict", "the stage audit", "the stage lint", "the stage scan", "the stage secrets",
        "the stage test", "the tag quality",
    ]  # fmt: skip
    assert all(effect is not Effect.LOOSENS for effect, _ in effects("", WORKFLOW)[:8])


@pytest.mark.parametrize(
    "instead",
    [
        "echo ./noxw -s lint", "./noxw -s lint || true", "./noxw -s lint; true", "./noxw -s lint | tee log", "true",
        "bash -c './noxw -s lint'", "./noxw -s lint &", "./noxw -l", "# ./noxw -s lint", "./noxw -s 'lint",
        "./noxw --list",
    ],
)  # fmt: skip
def test_a_step_that_is_wrapped_or_hushed_is_gone(instead: str) -> None:
    assert "no longer runs the stage lint." in loosening(WORKFLOW, WORKFLOW.replace("./noxw -s lint", instead))


@pytest.mark.parametrize(
    "instead", ["nox -s lint", "./noxw -s lint && echo done", "pipeline run lint --against main", "./noxw run lint"]
)
def test_the_same_in_other_words_is_the_same(instead: str) -> None:
    assert not loosening(WORKFLOW, WORKFLOW.replace("./noxw -s lint", instead))


@pytest.mark.parametrize("line", ["continue-on-error: true", "if: ${{ false }}", "if: false", "allow_failure: true"])
def test_a_step_whose_failure_does_not_count_is_told(line: str) -> None:
    changed = WORKFLOW.replace("        run: ./noxw -s lint", f"        {line}\n        run: ./noxw -s lint")
    assert loosening(WORKFLOW, changed) == [f"gains {line!r}."]
    assert not loosening(changed, WORKFLOW)


def test_a_setting_of_the_pipeline_is_told_and_its_run_id_is_not() -> None:
    changed = WORKFLOW.replace("PIPELINE_RUN: ${{ github.run_id }}", "PIPELINE_LINT_SCORE_FLOOR: 0")
    assert loosening(WORKFLOW, changed) == [
        "PIPELINE_LINT_SCORE_FLOOR was not set and is 0, and which way that goes is not known."
    ]


def test_anything_else_is_no_business_of_this() -> None:
    assert not effects(WORKFLOW, WORKFLOW.replace("checkout@v4", "checkout@v5"))
