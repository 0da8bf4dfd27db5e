"""What the page takes from the details of a build and a canary, be they whole or somebody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.core.run_record import Report
from pipeline.core.stage import Artifact, StageResult, Status
from pipeline.reporters import page, page_image, sbom
from tests import page_samples
from tests.page_parts import sha256, stage


def changed(name: str, **changes: Any) -> Report:
    """The passing run with a stage's result changed."""
    made = page_samples.passing()
    results: tuple[StageResult, ...] = tuple(
        replace(result, **changes) if result.name == name else result for result in made.results
    )
    return replace(made, results=results)


def test_the_image_is_told_with_what_it_runs_and_where_it_went() -> None:
    shown = page_image.image(page_samples.passing())
    assert shown is not None
    facts = dict(shown.facts)
    assert facts["Image"] == f"sha256:{sha256('image')}" and facts["Manifest"] == "sha256:" + "8" * 64
    assert facts["Reference"].startswith("registry.example.org/echo-service@sha256:")
    assert facts["Starts with"] == "python3 -m gunicorn --config service/gunicorn.conf.py service.app:app"
    assert facts["Size"] == "41.7 MB in 3 layers" and facts["Packages"] == "18 of Debian, 9 of Python"
    assert shown.parts[1][:2] == ("COPY --from=builder /opt/venv /opt/venv", "7.7 MB")


def test_an_image_that_was_not_pushed_has_no_manifest() -> None:
    shown = page_image.image(changed("push", status=Status.FAIL, reasons=("Why.",)))
    assert shown is not None and dict(shown.facts)["Manifest"] == "not pushed" and "Reference" not in dict(shown.facts)


@pytest.mark.parametrize("details", [{}, {"image": None}, {"image": {"id": 3}}, {"image": [1]}])
def test_details_that_are_none_are_no_image(details: dict[str, Any]) -> None:
    made = changed("build", details=details)
    assert page_image.image(made) is None
    assert "This run built no image" in page.render(made)


def damaged_canaries() -> list[Any]:
    """Details that no canary of ours has written."""
    whole = stage("canary").details["canary"]
    endless = {**whole["endpoints"][0], "edges_ms": [float("nan")] * 41}
    falling = {**whole["endpoints"][0], "edges_ms": sorted(whole["endpoints"][0]["edges_ms"], reverse=True)}
    fewer = {**whole["endpoints"][0], "edges_ms": [1.0, 2.0]}
    negative = {**whole["endpoints"][0], "arms": [{**whole["endpoints"][0]["arms"][0], "errors": -1}]}
    infinite = {**whole["endpoints"][0], "arms": [{**whole["endpoints"][0]["arms"][0], "p50_ms": float("inf")}]}
    return [7, "x", *({**whole, "endpoints": [one]} for one in (endless, falling, fewer, negative, infinite))]


@pytest.mark.parametrize("details", damaged_canaries())
def test_details_of_no_canary_of_ours_are_not_drawn(details: Any) -> None:
    made = changed("canary", details={"canary": details})
    assert page_image.canary(made) is None
    assert "This run measured no canary." in page.render(made)


def test_a_canary_by_absolute_limits_has_one_side() -> None:
    whole = stage("canary").details["canary"]
    alone = [{**endpoint, "arms": endpoint["arms"][:1]} for endpoint in whole["endpoints"]]
    text = page.render(changed("canary", details={"canary": {**whole, "endpoints": alone}}))
    assert 'class="histogram n1"' in text and "release</th>" not in text


def test_bills_are_linked_where_a_stage_has_listed_parts() -> None:
    assert page_image.bills(page_samples.passing()) == sbom.PLACES
    assert page_image.bills(changed("audit", components=())) == (sbom.IMAGE,)
    assert not page_image.packages(changed("build", components=()))


def test_packages_are_told_with_their_sizes_the_largest_first() -> None:
    shown = page_image.packages(page_samples.passing())
    assert [(item.name, told) for item, told in shown] == [("flask", "1.2 MB"), ("libc6", "0 B")]
    text = page.render(page_samples.passing())
    assert text.index("1.2 MB") < text.index(">libc6<")


@pytest.mark.parametrize(
    "sizes", [None, "x", [{"kind": "deb"}], [{"kind": "deb", "name": "a", "version": "1", "size_bytes": -1}]]
)
def test_sizes_of_packages_that_no_build_of_ours_wrote_are_not_known(sizes: Any) -> None:
    shown = page_image.packages(changed("build", details={"package_sizes": sizes}))
    assert [(item.name, told) for item, told in shown] == [("libc6", "not known"), ("flask", "not known")]
    assert [told for _, told in page_image.packages(changed("build", details={}))] == ["not known", "not known"]


def test_provenance_is_linked_where_a_stage_left_it() -> None:
    path = "stages/push/raw/provenance.intoto.jsonl"
    made = changed("push", artifacts=(Artifact(path=path, sha256="0" * 64),))
    assert [file.address for file in page_image.provenance(made)] == [f"./{path}"]
    assert "nothing here is signed" not in page.render(made)
    assert not page_image.provenance(page_samples.passing())
