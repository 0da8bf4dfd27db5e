"""Whatever stands in names, messages and logs comes out of every format as the text that it is, and nothing of it acts.

Each file of each format is read back by a parser that is not ours. What a parser sees beside the texts (elements,
attributes, keys, links) must be what it sees in the same report with harmless words in all places.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from html import escape
from urllib.parse import quote, quote_plus, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.masking import OURS, masked_record, masked_result
from pipeline.core.run_record import Report
from pipeline.core.safe_text import visible
from pipeline.execution.redaction import SecretRedactor
from pipeline.reporters import FORMATS
from tests.hostile import PAYLOADS, TEXTS, commands_in, marked, planted, unseen_in
from tests.page_samples import failing
from tests.report_readers import READERS, Read, read_files

_MARK = re.compile(r"q(\d+)q")


@cache
def _sample() -> Report:
    """A report that shows something in every section of every format, and little of each."""
    report = failing()
    few = [
        replace(
            result,
            evidence=replace(
                result.evidence,
                expected=frozenset(sorted(result.evidence.expected)[:2]),
                checked=frozenset(sorted(result.evidence.checked)[:2]),
            )
            if result.evidence
            else None,
            components=result.components[:3],
            findings=result.findings[:12],
        )
        for result in report.results
    ]
    history = tuple(replace(entry, stages=entry.stages[:1]) for entry in report.history[-2:])
    return replace(report, results=tuple(few), history=history)


@cache
def _harmless() -> Mapping[str, Read]:
    """What the readers see when all texts are words."""
    seen: dict[str, Read] = {}
    for words in (["word"], [" and a word"], ["\nword"]):
        for place, _, read in read_files(planted(_sample(), marked(words)[0])):
            seen.setdefault(place, Read()).structure.update(read.structure)
    return seen


def _plain(text: str) -> str:
    """A text without what formats may rightly change: white space, the backslashes of escapes, dots of paths.

    Nor characters of which JSON makes one where two halves of one stand beside each other.
    """
    # A text may be cut within an escape.
    shown = re.sub(r"\\[xuU][0-9a-f]*…|\\…", "…", visible(text))
    shown = re.sub(r"\\u[dD][89a-fA-F]..|\\U[0-9a-f]{8}|[\U00010000-\U0010ffff]", "", shown)
    return re.sub(r"\\[ntr]|\\|\s|\.", "", shown)


def _check(payloads: Iterable[str]) -> None:
    text, told = marked(payloads)
    seen: dict[str, set[int]] = {}
    for place, whole, read in read_files(planted(_sample(), text)):
        assert not commands_in(whole), place
        assert not unseen_in(whole), place
        assert read.structure <= _harmless()[place].structure, place
        for link in read.links:
            _check_link(link)
        for shown in read.texts:
            seen.setdefault(place, set()).update(_followed(shown, told))
    for place, (_, least) in READERS.items():
        assert len(seen.get(place, ())) >= least, place


def _followed(shown: str, told: Mapping[int, str]) -> Iterator[int]:
    """The texts of which this one shows something; it must be the beginning of what was told."""
    for match in _MARK.finditer(shown):
        number = int(match[1])
        there, wanted = _plain(shown[match.end() :]), _plain(told[number])
        told_in_full = there.startswith(wanted) or wanted.startswith(there)
        assert told_in_full or wanted.startswith(there.partition("…")[0]), (wanted[:80], there[:80])
        yield number


def _check_link(link: str) -> None:
    parts = urlsplit(link)
    assert parts.scheme in ("", "http", "https", "urn", "data", "pkg"), link
    if parts.scheme == "data":
        # The page's own icon.
        assert link.startswith("data:image/svg+xml,") and not _MARK.search(unquote(link)), link
    if not parts.scheme:
        assert not parts.netloc and not link.startswith("/") and ".." not in unquote(link).split("/"), link


def test_every_file_of_every_format_is_read_back() -> None:
    assert set(READERS) == {place for made in FORMATS.values() for place in made.places}


@pytest.mark.parametrize("turn", range(5))
def test_payloads_come_back_as_text_from_every_format(turn: int) -> None:
    # Another payload in each text of the report, and in each turn another one.
    _check([*PAYLOADS[turn * 31 :], *PAYLOADS[: turn * 31]])


@pytest.mark.parametrize("payload", [" ".join(PAYLOADS[:60]), "".join(PAYLOADS[60:])])
def test_all_payloads_in_each_text_come_back_too(payload: str) -> None:
    _check([payload])


@settings(max_examples=6)
@given(st.lists(TEXTS, min_size=1, max_size=40))
def test_any_text_comes_back_as_text_from_every_format(texts: list[str]) -> None:
    _check(texts)


@pytest.mark.full
@settings(max_examples=400)
@given(st.lists(TEXTS, min_size=1, max_size=40))
def test_any_text_comes_back_as_text_from_every_format_in_a_long_dose(texts: list[str]) -> None:
    _check(texts)


# Of nobody, and put together, so that it is no finding of the repository's own secrets stage.
SECRET = "".join(("s3cr3t", "+/é'", '"<&>', "\\Zz9$(x) ", "end~|"))


def _forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower().replace("zz9", "Zz9"),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        *(base64.b64encode(b"user:"[:before] + raw + b"!").decode() for before in (1, 2, 3, 5)),
        json.dumps(secret)[1:-1],
        escape(secret),
        f"https://user:{quote(secret, safe='')}@example.org/x",
    ]


def test_a_secret_in_any_text_of_a_report_is_in_no_file_in_any_form() -> None:
    redact = SecretRedactor({"MY_TOKEN": SECRET})
    forms = _forms(SECRET)
    # What is left of a form when the characters at either end are taken off, which may stand for neighbours too.
    cores = {form[4:-4] for form in forms}
    text, told = marked([f"before {form} after" for form in forms])
    report = planted(_sample(), text, left=OURS)
    assert len(told) > len(forms)
    report = replace(
        report,
        record=masked_record(report.record, redact),
        results=tuple(masked_result(result, redact) for result in report.results),
        history=(),
    )
    for place, whole, read in read_files(report):
        shown = [whole, *read.texts, *read.links, *map(unquote, read.links)]
        assert not [(place, core) for core in cores for part in shown if core in part]
