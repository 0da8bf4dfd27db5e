"""The page says what the report says, in the order in which a reviewer asks."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import pytest

from pipeline.core.run_record import Report
from pipeline.core.stage import not_run
from pipeline.reporters import FORMATS, page
from tests import page_samples
from tests.page_reading import failing, one, read, words
from tests.samples import passed, report

_UNSURE = "inconclusive: scan and build could not tell; smoke, canary and push did not run."
_SECTIONS = ["gates", "left-out", "suppressed", "findings", "waivers", "image", "canary", "plots", "reproduce"]


def test_it_is_registered() -> None:
    made = page_samples.passing()
    assert FORMATS["page"].files(made) == {"index.html": page.render(made)}


def test_the_sections_come_in_the_order_in_which_a_reviewer_asks() -> None:
    tree = read(failing())
    assert [element.get("id") for element in tree.xpath("//main//*[self::h2 or self::h3][@id]")] == _SECTIONS
    targets = {link.get("href") for link in tree.xpath("//nav//a")}
    assert targets <= {f"#{element.get('id')}" for element in tree.xpath("//*[@id]")}


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (page_samples.passing(), "pass: each of the 9 required stages is proven for this content."),
        (page_samples.failing(), "fail: scan, audit and canary found the content at fault; push did not run."),
        (page_samples.inconclusive(), _UNSURE),
        (report(not_run("lint", "Why."), required=("lint", "own")), "not run: lint and own did not run."),
        (report(passed(), required=()), "not run: no stage is required, so nothing is proven."),
        (report(passed()), "pass: the one required stage is proven for this content."),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(made: Report, sentence: str) -> None:
    assert words(one(read(page.render(made)), "//h1")).replace(" :", ":") == sentence


def test_the_head_tells_what_was_run_by_whom_and_why_it_is_not_green() -> None:
    head = one(read(failing()), "//header")
    facts = {words(pair[0]): words(pair[1]) for pair in head.xpath(".//dl/div")}
    record = page_samples.failing().record
    assert facts["Commit"] == record.commit and facts["Policy"] == record.policy_digest
    assert facts["Branch"] == "greetings" and facts["Content"].startswith("dirty")
    assert facts["Started"] == "2026-03-02 09:30:00 UTC" and facts["Run by"] == "ada"
    assert facts["Where"] == "Linux-6.12-x86_64-with-glibc2.41, Python 3.13.5"
    assert facts["Since the last green run"].endswith("5 findings came and 0 went. The score was 9.40 and is 9.96. "
                                                      "The coverage was 95.93 % and is 97.10 %.")  # fmt: skip
    shown = words(head)
    assert shown.index("test.coverage_floor was 95.0 and is 80.0.") < shown.index("allowed 0, found 2.")
    assert "1 loosens, 1 tightens, 1 neutral" in shown and record.approval in shown
    assert "push needs scan, audit and canary to pass, and they do not." in shown
    assert "clean" in words(one(read(page.render(page_samples.passing())), "//header"))


def test_however_much_there_is_to_say_the_head_stays_short() -> None:
    made = page_samples.failing()
    changes = tuple(replace(made.record.changes[0], sentence=f"Change {number}.") for number in range(30))
    push = replace(made.results[-1], reasons=tuple(f"Reason {number}." for number in range(30)))
    policy = {"name": "n" * 500}
    full = replace(
        made, record=replace(made.record, changes=changes, policy=policy), results=(*made.results[:-1], push)
    )
    head = one(read(page.render(full)), "//header")
    assert words(one(head, ".//details/summary")) == "and 20 more" and words(head).count("Change ") == 30
    assert "Reason 9. and 20 more reasons, all below" in words(head)
    assert words(head).count("n" * 99 + "…") == 1


def test_a_comparison_without_changes_says_so() -> None:
    made = page_samples.failing()
    quiet = replace(made, record=replace(made.record, changes=(), approval=""))
    assert "The change is held to the same policy." in words(one(read(page.render(quiet)), "//header"))


def test_the_gate_table_shows_the_evidence_beside_each_stage() -> None:
    rows = {words(body.xpath(".//th")[0]): words(body) for body in read(failing()).xpath("//table[1]/tbody")}
    lint = rows["lint pass"]
    assert "met: pylint score at least 9.50 9.96" in lint
    assert "142 of 142 files 1 of 1 planted fault caught ruff caught the planted fault." in lint
    assert "ruff 0.17.6 pylint 4.1.4 36.7 s ruff.json" in lint
    assert "not met: audit findings of severity medium or worse 0 1" in rows["audit fail"]
    assert rows["push not-run"] == "push not-run push needs scan, audit and canary to pass, and they do not."
    unsure = words(one(read(page.render(page_samples.inconclusive())), "//table[1]/tbody[2]"))
    assert "139 of 142 files 0 of 1 planted fault caught bandit did not catch the planted insecure call." in unsure
    (link,) = read(failing()).xpath("//a[text()='bandit.json']")
    assert link.get("href") == "./stages/scan/raw/bandit.json"


def test_what_was_not_checked_and_every_suppression_is_listed() -> None:
    shown = words(one(read(failing()), "//section[@aria-labelledby='left-out']"))
    assert "push the whole stage push needs scan" in shown
    assert "ruff rule N818 It is switched off in pyproject.toml." in shown
    assert "3 comments and marks tell a tool to keep quiet." in shown
    assert "service/app.py:12 # noqa: E402 the path first" in shown
    assert "1 without a reason" in shown and "no reason is given" in shown
    unsure = words(one(read(page.render(page_samples.inconclusive())), "//section[@aria-labelledby='left-out']"))
    assert unsure.count("It is one of the files that were expected, and no output shows it.") == 3
    assert "build the whole stage It ended before it had checked anything." in unsure


def test_waivers_tell_their_days_and_the_expiring_are_marked() -> None:
    rows = [words(row) for row in read(failing()).xpath("//section[@aria-labelledby='waivers']//tbody/tr")]
    assert [next(word for word in ("B105", "B101", "PYSEC") if word in row) for row in rows] == [
        "B105",
        "B101",
        "PYSEC",
    ]
    assert "ada@example.org expired 2026-01-10 to 2026-02-01" in rows[0]
    assert "9, ends soon 2026-01-10 to 2026-03-11 used hides 1 finding" in rows[1]
    assert "120 2026-01-10 to 2026-06-30, or until there is a fix unused" in rows[2]


def test_the_image_its_bills_and_its_canary_are_shown() -> None:
    shown = words(one(read(page.render(page_samples.passing())), "//section[@aria-labelledby='image']"))
    for text in (
        "Manifest sha256:8888", "User 65532:65532", "Base locked Debian trixie, lock",
        "COPY --from=builder /opt/venv /opt/venv 7.7 MB bbbb", "flask 3.1.3 pypi 1.2 MB BSD-3-Clause",
        "libc6 2.41-12+deb13u4 deb 0 B not known",
        "sbom/python.cdx.json sbom/image.cdx.json There is no provenance: nothing here is signed.",
        "candidate 201 1 (0.5 %)", "latency of GET / pass at most", "release_p50_ms",
    ):  # fmt: skip
        assert text in shown
    nothing = words(one(read(page.render(report(passed()))), "//section[@aria-labelledby='image']"))
    assert "no image" in nothing and "no bill of materials" in nothing and "no canary" in nothing


def test_each_stage_has_a_line_to_copy() -> None:
    rows = [words(row) for row in read(failing()).xpath("//section[@aria-labelledby='reproduce']//tbody/tr")]
    commit = page_samples.failing().record.commit
    assert rows[0] == f"the commit git checkout --detach {commit} Copy the line of the commit"
    assert rows[1] == "lint nox -s lint Copy the line of lint" and len(rows) == 10
    unknown = report(replace(passed(), command="a\nb"))
    *_, line = read(page.render(unknown)).xpath("//code[@class='command']")
    assert line.text == "a\\nb"


def test_without_scripts_the_first_findings_are_there_and_the_rest_is_counted() -> None:
    tree = read(page.render(page_samples.huge(200)))
    assert len(tree.xpath("//ol[@id='list']/li")) == page.FIRST
    assert words(one(tree, "//*[@id='rest']")).startswith("And 101 more, which need a browser with scripts;")
    assert (
        tree.xpath("//form")[0].get("hidden") is not None
        and tree.xpath("//*[@id='pager']")[0].get("hidden") is not None
    )


def test_no_box_has_columns_since_one_that_a_page_break_cuts_shrinks_the_whole_print() -> None:
    style = files("pipeline.reporters").joinpath("page", "page.css").read_text(encoding="utf-8")
    assert not re.search(r"[{;\s]column(s|-count|-width):", style)
